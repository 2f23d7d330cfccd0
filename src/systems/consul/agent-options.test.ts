import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { checkOptions } from "../../policy/option-table.ts";
import { PolicyError } from "../../policy/policy-error.ts";
import {
	agentOptions,
	type ConsulAgentOptions,
	settleAgent,
} from "./agent-options.ts";

const directory = mkdtempSync(join(tmpdir(), "homing-consul-options-"));
afterAll(() => rmSync(directory, { recursive: true }));

function file(name: string, text: string): string {
	const path = join(directory, name);
	writeFileSync(path, text);
	return path;
}

function settled(
	options: ConsulAgentOptions,
	environment: Record<string, string> = {},
) {
	checkOptions(options, agentOptions);
	return settleAgent(options, environment);
}

describe("the agent is at", () => {
	test.each<[ConsulAgentOptions, Record<string, string>, string]>([
		[{}, {}, "http://127.0.0.1:8500"],
		[{ agent: "agent" }, {}, "http://agent:8500"],
		[{ agent: "[::1]:1" }, {}, "http://[::1]:1"],
		[{ agent: "http://agent" }, {}, "http://agent:80"],
		[{ agent: "https://agent/consul/" }, {}, "https://agent:443/consul"],
		[{ agent: "unix:/run/c.sock" }, {}, "unix:/run/c.sock"],
		[{ agent: "unix:///run/c.sock" }, {}, "unix:/run/c.sock"],
		[{ agent: "agent:1", tls: true }, {}, "https://agent:1"],
		[{}, { CONSUL_HTTP_ADDR: "" }, "http://127.0.0.1:8500"],
		[{}, { CONSUL_HTTP_ADDR: "agent:1" }, "http://agent:1"],
		[{}, { CONSUL_HTTP_ADDR: "https://agent:1" }, "https://agent:1"],
		[{}, { CONSUL_HTTP_SSL: "true" }, "https://127.0.0.1:8500"],
		[{}, { CONSUL_HTTP_SSL: "0" }, "http://127.0.0.1:8500"],
		[{ agent: "a:1" }, { CONSUL_HTTP_SSL: "1" }, "https://a:1"],
		[{ agent: "a:1", tls: false }, { CONSUL_HTTP_SSL: "1" }, "http://a:1"],
		[{ agent: "a:1" }, { CONSUL_HTTP_ADDR: "b:2" }, "http://a:1"],
	])("%j %j: %s", (options, environment, origin) => {
		expect(settled(options, environment).origin).toBe(origin);
	});
});

test.each<[object, Record<string, string>, string]>([
	[{ agent: "a:b" }, {}, 'agent: port "b" is not a number'],
	[{ agent: "ftp://a" }, {}, "agent: "],
	[{ agnet: "a" }, {}, "agnet: is not an option; did you mean agent?"],
	[{ token: "a b" }, {}, "token: is empty or has other characters"],
	[{ token: 5 }, {}, "token: 5 is not a token"],
	[{ tls: { cert: "x" } }, {}, "tls.key: is missing beside tls.cert"],
	[{ tls: true, agent: "http://a" }, {}, 'tls: is set, and agent is "http:'],
	[{ tls: true, agent: "unix:/a" }, {}, "tls: is set, and agent is"],
	[{}, { CONSUL_HTTP_ADDR: "a b" }, "CONSUL_HTTP_ADDR: "],
	[{}, { CONSUL_HTTP_SSL: "maybe" }, 'CONSUL_HTTP_SSL: "maybe" is not true'],
])("%j %j is refused: %s", (options, environment, message) => {
	expect(() => settled(options, environment)).toThrow(PolicyError);
	expect(() => settled(options, environment)).toThrow(message);
});

test("a token that is refused is not shown", () => {
	expect(() => settled({ token: "my secret" })).toThrow(/^token: (?!.*my)/);
});

describe("the token is", () => {
	const ofFile = file("token", "from file\n".replace(" ", "-"));
	test.each<[ConsulAgentOptions, Record<string, string>, object]>([
		[{}, {}, {}],
		[{ token: "given" }, {}, { "x-consul-token": "given" }],
		[{ token: async () => "asked" }, {}, { "x-consul-token": "asked" }],
		[{}, { CONSUL_HTTP_TOKEN: "t" }, { "x-consul-token": "t" }],
		[{}, { CONSUL_HTTP_TOKEN_FILE: ofFile }, { "x-consul-token": "from-file" }],
		[
			{},
			{ CONSUL_HTTP_TOKEN: "t", CONSUL_HTTP_TOKEN_FILE: ofFile },
			{ "x-consul-token": "t" },
		],
		[
			{ token: "given" },
			{ CONSUL_HTTP_TOKEN: "t" },
			{ "x-consul-token": "given" },
		],
		[{}, { CONSUL_HTTP_AUTH: "me:pw" }, { authorization: "Basic bWU6cHc=" }],
	])("%j %j: %j", async (options, environment, headers) => {
		expect(await settled(options, environment).headers()).toEqual(headers);
	});

	test("read anew for each request, and refused if it is none", async () => {
		const { headers } = settled({ token: () => "" });
		await expect(headers()).rejects.toThrow("token: is empty");
		const path = file("changing", "a");
		const ofFile = settled({}, { CONSUL_HTTP_TOKEN_FILE: path });
		expect(await ofFile.headers()).toEqual({ "x-consul-token": "a" });
		file("changing", "b");
		expect(await ofFile.headers()).toEqual({ "x-consul-token": "b" });
	});
});

test("TLS is as the environment has it, unless it is given", async () => {
	const environment = {
		CONSUL_CACERT: file("ca.pem", "ca"),
		CONSUL_CLIENT_CERT: file("cert.pem", "cert"),
		CONSUL_CLIENT_KEY: file("key.pem", "key"),
		CONSUL_TLS_SERVER_NAME: "server.dc1.consul",
		CONSUL_HTTP_SSL_VERIFY: "false",
	};
	const { tls } = settled({}, environment);
	expect(await tls("")).toEqual({
		ca: Buffer.from("ca"),
		cert: Buffer.from("cert"),
		key: Buffer.from("key"),
		servername: "server.dc1.consul",
		rejectUnauthorized: false,
	});
	const given = settled({ tls: { ca: "other" } }, environment);
	expect(await given.tls("")).toEqual({ ca: "other" });
});

test("namespace and partition go with each request", () => {
	const { query } = settled(
		{ namespace: "team" },
		{ CONSUL_NAMESPACE: "other", CONSUL_PARTITION: "p" },
	);
	expect(query).toEqual({ ns: "team", partition: "p" });
});
