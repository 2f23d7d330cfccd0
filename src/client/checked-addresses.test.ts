import { expect, test } from "vitest";
import { CheckedAddresses } from "./checked-addresses.ts";

test("a bad address is refused, whenever it comes, and named", () => {
	const addresses = new CheckedAddresses();
	const bad = [{ address: "a:1" }, { address: "a:b" }];
	for (let i = 0; i < 2; i++) {
		expect(() => addresses.check(bad)).toThrow("a:b");
	}
	addresses.check([{ address: "a:1" }, { address: ["b:1", "unix:/x"] }]);
	expect(() => addresses.check([{ address: ["b:1", "a:b"] }])).toThrow("a:b");
});

test("of a list like the one before, only what is new is looked at", () => {
	const addresses = new CheckedAddresses();
	let looks = 0;
	const counted = (address: string): readonly string[] => {
		const list = [address];
		const { map } = list;
		list.map = (...how) => {
			looks += 1;
			return map.apply(list, how) as never;
		};
		return list;
	};
	const [a, b, c] = ["a:1", "b:1", "c:1"].map(counted);
	if (!a || !b || !c) throw new Error("there are three");
	addresses.check([{ address: a }, { address: b }]);
	addresses.check([{ address: b }, { address: c }]);
	expect(looks).toBe(3);
});

test("those that have gone are forgotten", () => {
	const addresses = new CheckedAddresses();
	const list = { address: ["a:1"] };
	addresses.check([list, { address: "b:1" }, { address: "c:1" }]);
	addresses.check([{ address: "d:1" }]);
	list.address[0] = "a:b";
	expect(() => addresses.check([list])).toThrow("a:b");
});
