import { expect, test } from "vitest";
import { anyCall } from "../../testdata/harness/fake-balancer-helper.ts";
import { failPicker, subchannelPicker, waitPicker } from "./fixed-picker.ts";

test("calls wait, fail or go to one subchannel, each the same way", () => {
	const error = new Error("no");
	const subchannel = {
		endpoint: { address: "a:1" },
		state: "ready",
		connect: () => {},
	} as const;
	expect(waitPicker.pick(anyCall)).toEqual({ kind: "wait" });
	expect(failPicker(error).pick(anyCall)).toEqual({ kind: "fail", error });
	const picker = subchannelPicker(subchannel);
	expect(picker.pick(anyCall)).toEqual({ kind: "subchannel", subchannel });
	expect(picker.pick(anyCall)).toBe(picker.pick(anyCall));
});
