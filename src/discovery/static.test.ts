import { expect, test } from "vitest";
import { Watching } from "../../testdata/harness/watching.ts";
import { staticResolver } from "./static.ts";

test("says its endpoints once and is done", async () => {
	const watching = new Watching(
		staticResolver(["a:1", { address: "unix:x", weight: 2 }]),
	);
	expect(await watching.ended).toBeUndefined();
	expect(watching.seen).toEqual([
		{ endpoints: [{ address: "a:1" }, { address: "unix:x", weight: 2 }] },
	]);
});

test("a bad endpoint throws when it is made", () => {
	expect(() => staticResolver(["a:1", "b"])).toThrow(
		"endpoints[1]: has no port",
	);
});
