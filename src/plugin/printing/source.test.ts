import { describe, expect, it } from "vitest";
import { type Import, Source } from "./source.ts";

const order: Import = { name: "Order", from: "./order_pb.js", typeOnly: true };
const otherOrder: Import = { ...order, from: "./other_pb.js" };
const client: Import = { name: "newClient", from: "homing", typeOnly: false };
const target: Import = { name: "Target", from: "homing", typeOnly: true };
const callOptions: Import = { ...target, name: "CallOptions" };

describe("Source", () => {
	it("imports what is used: packages before files, types before values, sorted by name", () => {
		const source = new Source((module) => module, []);
		for (const imported of [order, client, target, callOptions, target]) {
			source.print(source.use(imported));
		}
		expect(source.text()).toBe(
			[
				'import type { CallOptions, Target } from "homing";',
				'import { newClient } from "homing";',
				'import type { Order } from "./order_pb.js";',
				"",
				"Order",
				"newClient",
				"Target",
				"CallOptions",
				"Target",
				"",
			].join("\n"),
		);
	});

	it("renames the second import of the same name, and uses the new name from then on", () => {
		const source = new Source((module) => module, []);
		expect(
			[order, otherOrder, order, otherOrder].map((i) => source.use(i)),
		).toEqual(["Order", "Order$1", "Order", "Order$1"]);
		source.print();
		expect(source.text()).toContain(
			'import type { Order as Order$1 } from "./other_pb.js";',
		);
	});

	it("renames an import if the file declares the same name", () => {
		const source = new Source((module) => module, ["Order", "Order$1"]);
		expect(source.use(order)).toBe("Order$2");
	});

	it("writes the module specifier that the function returns", () => {
		const source = new Source((module) => `<${module}>`, []);
		source.print(source.use(order));
		expect(source.text()).toContain('from "<./order_pb.js>";');
	});

	it("writes the comment of a module after its imports", () => {
		const source = new Source(
			(module) => module,
			[],
			(module) => (module.endsWith("_pb.js") ? "not ours" : ""),
		);
		for (const imported of [order, client]) source.use(imported);
		source.print();
		expect(source.text()).toBe(
			[
				'import { newClient } from "homing";',
				'import type { Order } from "./order_pb.js"; // not ours',
				"",
				"",
				"",
			].join("\n"),
		);
	});

	it("is empty if nothing was printed", () => {
		expect(new Source((module) => module, []).text()).toBe("");
	});
});
