import { expect, test } from "vitest";
import { Watching } from "../../testdata/harness/watching.ts";
import { staticResolver } from "./static.ts";

test("it yields its endpoints once and ends", async () => {
	const watching = new Watching(
		staticResolver(["a:1", { address: "unix:x", weight: 2 }]),
	);
	expect(await watching.ended).toBeUndefined();
	expect(watching.seen).toEqual([
		{ endpoints: [{ address: "a:1" }, { address: "unix:x", weight: 2 }] },
	]);
});

test("an invalid endpoint throws when the resolver is made", () => {
	expect(() => staticResolver(["a:1", "b"])).toThrow(
		"endpoints[1]: has no port",
	);
});
