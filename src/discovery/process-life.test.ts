import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, test } from "vitest";

const here = (file: string): string =>
	JSON.stringify(new URL(file, import.meta.url).href);

test("a program that only watches resolvers ends by itself", async () => {
	const program = `
		import { dnsResolver } from ${here("dns/dns.ts")};
		import { fileResolver } from ${here("file.ts")};
		import { memoryRegistry } from ${here("memory.ts")};
		import { poll } from ${here("poll.ts")};
		import { writeFileSync, rmSync, mkdtempSync } from "node:fs";
		import { tmpdir } from "node:os";
		import { join } from "node:path";
		const directory = mkdtempSync(join(tmpdir(), "homing-life-"));
		process.on("exit", () => rmSync(directory, { recursive: true }));
		const file = join(directory, "endpoints.json");
		writeFileSync(file, '["a:1"]');
		const { signal } = new AbortController();
		const refresh = () => new Promise(() => {});
		for (const resolver of [
			dnsResolver({ host: "localhost", port: 1 }),
			fileResolver(file),
			memoryRegistry().resolver("payment"),
			poll(async () => ["a:1"]),
		]) {
			const watch = async () => {
				for await (const _ of resolver.watch({ signal, refresh })) {
					process.stdout.write("seen ");
				}
			};
			void watch();
		}
	`;
	const child = spawn(
		process.execPath,
		[
			"--experimental-strip-types",
			"--no-warnings",
			"--input-type=module",
			"--eval",
			program,
		],
		{ stdio: ["ignore", "pipe", "inherit"], timeout: 20_000 },
	);
	let output = "";
	child.stdout.on("data", (chunk) => {
		output += chunk;
	});
	const [code] = await once(child, "close");
	expect(output).toBe("seen seen seen seen ");
	expect(code).toBe(0);
});
