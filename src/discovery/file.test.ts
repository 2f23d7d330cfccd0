import {
	mkdir,
	mkdtemp,
	readFile,
	rename,
	rm,
	symlink,
	unlink,
	writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { FakeClock } from "../../testdata/harness/fake-clock.ts";
import { Watching } from "../../testdata/harness/watching.ts";
import { fileResolver } from "./file.ts";

let directory: string;
let path: string;

beforeEach(async () => {
	directory = await mkdtemp(join(tmpdir(), "homing-file-"));
	path = join(directory, "endpoints.json");
});
afterEach(() => rm(directory, { recursive: true }));

const write = (list: unknown): Promise<void> =>
	writeFile(path, typeof list === "string" ? list : JSON.stringify(list));

const reads = (watching: Watching, ...addresses: string[]): Promise<void> =>
	watching.until(
		() => JSON.stringify(watching.addresses) === JSON.stringify(addresses),
	);

test("the endpoints are read from the file", async () => {
	await write(["a:1", { address: "b:1", weight: 2, zone: "z" }]);
	await using watching = new Watching(fileResolver(path));
	await reads(watching, "a:1", "b:1");
	expect(watching.seen[0]?.endpoints[1]).toEqual({
		address: "b:1",
		weight: 2,
		zone: "z",
	});
});

test("a file that is overwritten is read again", async () => {
	await write(["a:1"]);
	await using watching = new Watching(fileResolver(path));
	await reads(watching, "a:1");
	await write(["b:1"]);
	await reads(watching, "b:1");
});

test("a file that is replaced by another file is read again at once, each time", async () => {
	const clock = new FakeClock();
	await write(["a:1"]);
	await using watching = new Watching(fileResolver(path, { clock }));
	await reads(watching, "a:1");
	for (const address of ["b:1", "c:1", "d:1"]) {
		await clock.advance(100);
		await writeFile(`${path}.new`, JSON.stringify([address]));
		await rename(`${path}.new`, path);
		await reads(watching, address);
	}
});

test("a file in a Kubernetes volume is read again when the ..data link is replaced", async () => {
	const version = async (name: string, list: unknown): Promise<void> => {
		await mkdir(join(directory, name));
		await writeFile(
			join(directory, name, "endpoints.json"),
			JSON.stringify(list),
		);
		await symlink(name, join(directory, "..new"));
		await rename(join(directory, "..new"), join(directory, "..data"));
	};
	await version("v1", ["a:1"]);
	await symlink(join("..data", "endpoints.json"), path);
	const clock = new FakeClock();
	await using watching = new Watching(fileResolver(path, { clock }));
	await reads(watching, "a:1");
	await clock.advance(100);
	await version("v2", ["b:1"]);
	await reads(watching, "b:1");
});

test("while the file is broken, the last valid list stays in use and the error is reported", async () => {
	await write(["a:1"]);
	await using watching = new Watching(fileResolver(path));
	await reads(watching, "a:1");
	await write('["b:1"');
	await watching.until(() => watching.reported.length > 0);
	expect(watching.reported[0]?.message).toMatch(
		/^the endpoints file .*endpoints\.json cannot be read: .*JSON/,
	);
	expect(watching.addresses).toEqual(["a:1"]);
	await write(["c:1"]);
	await reads(watching, "c:1");
	expect(watching.reported).toHaveLength(1);
});

test("the same error is reported only once", async () => {
	const clock = new FakeClock();
	await write(["a:1"]);
	await using watching = new Watching(fileResolver(path, { clock }));
	await reads(watching, "a:1");
	await write("broken");
	while (watching.reported.length === 0) {
		await clock.advance(100);
	}
	for (let look = 0; look < 5; look++) {
		await clock.advance(5000);
		for (let turn = 0; turn < 20; turn++) {
			await readFile(path);
		}
	}
	expect(watching.reported).toHaveLength(1);
});

test("while the file is missing or has an invalid endpoint, the last valid list stays in use", async () => {
	await write(["a:1"]);
	await using watching = new Watching(fileResolver(path));
	await reads(watching, "a:1");
	await unlink(path);
	await watching.until(() => watching.reported.length === 1);
	await write([{ address: "b:1", wieght: 2 }]);
	await watching.until(() => watching.reported.length === 2);
	expect(watching.reported.map(({ message }) => message)).toEqual([
		expect.stringContaining("ENOENT"),
		`${path}[0].wieght: is not an option; did you mean weight?`,
	]);
	expect(watching.addresses).toEqual(["a:1"]);
});

test("a broken file is an error if there is no valid list yet", async () => {
	await write("{");
	expect(await new Watching(fileResolver(path)).ended).toMatchObject({
		message: expect.stringMatching(/^the endpoints file .* cannot be read: /),
	});
	await write({ endpoints: [] });
	expect(await new Watching(fileResolver(path)).ended).toMatchObject({
		message: `${path}: an object is not a list`,
	});
});

test("a missing directory is an error", async () => {
	const missing = join(directory, "no", "x.json");
	expect(await new Watching(fileResolver(missing)).ended).toMatchObject({
		message: expect.stringContaining("ENOENT"),
	});
});

test("a change without an event is noticed by the regular reading", async () => {
	const clock = new FakeClock();
	const elsewhere = await mkdtemp(join(tmpdir(), "homing-file-"));
	const target = join(elsewhere, "target.json");
	await writeFile(target, '["a:1"]');
	await symlink(target, path);
	await using watching = new Watching(fileResolver(path, { clock }));
	await reads(watching, "a:1");
	await writeFile(target, '["b:1"]');
	await clock.advance(4999);
	expect(watching.addresses).toEqual(["a:1"]);
	await clock.advance(1);
	await reads(watching, "b:1");
	await rm(elsewhere, { recursive: true });
});

test("ending the watch leaves neither a timer nor a file watcher", async () => {
	const clock = new FakeClock();
	await write(["a:1"]);
	const watchers = (): number =>
		process
			.getActiveResourcesInfo()
			.filter((resource) => resource === "FSEventWrap").length;
	const before = watchers();
	const watching = new Watching(fileResolver(path, { clock }));
	await reads(watching, "a:1");
	await watching[Symbol.asyncDispose]();
	expect(clock.pending).toBe(0);
	expect(watchers()).toBe(before);
});
