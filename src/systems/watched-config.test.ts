import { expect, test } from "vitest";
import { WatchedConfig } from "./watched-config.ts";

const good = '{"methodConfig":[{"name":[{}],"timeout":"2s"}]}';

test("a valid config is kept as it was written, until its key is deleted", () => {
	const config = new WatchedConfig("the key c");
	expect(config.current).toBeUndefined();
	config.read(good);
	expect(config.current).toEqual(JSON.parse(good));
	config.read(undefined);
	expect(config.current).toBeUndefined();
});

test.each([
	[
		"{",
		"the service config in the key c is invalid and ignored (the last valid one, if any, stays in force): it",
	],
	["7", "serviceConfig: 7 is not an object"],
	['{"methodConfig":[{"name":[{}],"timeout":"soon"}]}', "[0].timeout"],
	['{"loadBalancingConfig":[{"best":{}}]}', "none of which is known"],
])(
	"for %s the config before stays, and the error says why",
	(text, message) => {
		const config = new WatchedConfig("the key c");
		config.read(good);
		expect(() => config.read(text)).toThrow(message);
		expect(config.current).toEqual(JSON.parse(good));
		// The same invalid config throws only once.
		config.read(text);
	},
);
