import { expect, test, vi } from "vitest";
import { Refusals } from "./refusals.ts";

test("what onRefused throws, or its promise rejects with, is printed and has no other effect", async () => {
	const printed = vi.spyOn(console, "error").mockImplementation(() => {});
	let now = performance.now() + 1e6;
	vi.spyOn(performance, "now").mockImplementation(() => now);
	const mistake = new Error("mine");
	for (const hook of [
		() => {
			throw mistake;
		},
		async () => Promise.reject(mistake),
	]) {
		const refusals = new Refusals(hook);
		refusals.tell("handshake", "no certificate", { address: "10.0.0.1:5" });
		await new Promise(setImmediate);
		expect(refusals.counts).toEqual({ handshake: 1 });
		expect(printed).toHaveBeenLastCalledWith(
			"homing: onRefused of a server threw, and no call is changed by it:",
			mistake,
		);
		printed.mockClear();
		now += 2_000;
	}
	vi.restoreAllMocks();
});
