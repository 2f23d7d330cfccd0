import { describe, expect, test } from "vitest";
import {
	endpoints,
	FakeBalancerHelper,
} from "../../testdata/harness/fake-balancer-helper.ts";
import { balancerNamed, balancerNames, DEFAULT_BALANCER } from "./policies.ts";

const NAMES = ["pick_first", "round_robin", "least_request", "ring_hash"];

test("balancers are found by gRPC's names for them", () => {
	expect(balancerNames()).toEqual(NAMES);
});

test.each([...NAMES, "least_request_experimental", "ring_hash_experimental"])(
	"%s makes a balancer",
	(name) => {
		const helper = new FakeBalancerHelper();
		const balancer = balancerNamed(name, {}, "test")?.(helper);
		balancer?.update(endpoints("a:1"));
		helper.made[0]?.connect();
		helper.allReady();
		expect(helper.next()).toBe("a:1");
	},
);

test.each(["roundRobin", "ROUND_ROBIN", "", "toString"])(
	"%j names none",
	(name) => {
		expect(balancerNamed(name, {}, "test")).toBeUndefined();
	},
);

test("where nobody says otherwise, it is least_request", () => {
	expect(DEFAULT_BALANCER).toBe("least_request");
});

describe("a config", () => {
	test.each([
		["pick_first", { shuffleAddressList: "yes" }, "test.shuffleAddressList"],
		["least_request", { choiceCount: 1 }, "test.choiceCount"],
		["least_request_experimental", { choiceCount: 1 }, "test.choiceCount"],
		["ring_hash", { minRingSize: "x" }, "test.minRingSize"],
	])(
		"of %s that is bad is refused, naming the field",
		(name, config, field) => {
			expect(() => balancerNamed(name, config, "test")).toThrow(`${field}: `);
		},
	);

	test("reaches the balancer", () => {
		const helper = new FakeBalancerHelper();
		helper.random = () => 0.9;
		let draws = 0;
		const config = { choiceCount: 5 };
		const balancer = balancerNamed("least_request", config, "test")?.(helper);
		balancer?.update(endpoints("a:1", "b:1"));
		helper.allReady();
		helper.random = () => {
			draws += 1;
			return 0;
		};
		helper.next();
		expect(draws).toBe(5);
	});
});
