import {
	mkdirSync,
	mkdtempSync,
	rmSync,
	symlinkSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { makeIdentity } from "../../../testdata/peers/node/certificates.ts";
import { OptionError } from "../../checks/option-error.ts";
import { checkOptions } from "../../checks/option-table.ts";
import {
	agentOptions,
	agentSetting,
	type ConsulAgentOptions,
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
	return agentSetting(options, environment);
}

describe("the address of the agent comes from the options or the environment", () => {
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
		[
			{},
			{ CONSUL_HTTP_SSL: "1", CONSUL_HTTP_ADDR: "http://agent:1" },
			"https://agent:1",
		],
		[{ agent: "http://a:1" }, { CONSUL_HTTP_SSL: "1" }, "http://a:1"],
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
	[{ token: "a b" }, {}, "token: is empty or contains characters"],
	[{ token: 5 }, {}, "token: 5 is not a token"],
	[{ tls: { cert: "x" } }, {}, "tls.key: is missing beside tls.cert"],
	[{ tls: true, agent: "http://a" }, {}, 'tls: is set, but agent is "http:'],
	[{ tls: true, agent: "unix:/a" }, {}, "tls: is set, but agent is"],
	[{}, { CONSUL_HTTP_ADDR: "a b" }, "CONSUL_HTTP_ADDR: "],
	[{}, { CONSUL_HTTP_SSL: "maybe" }, 'CONSUL_HTTP_SSL: "maybe" is not true'],
	[{}, { CONSUL_HTTP_TOKEN: "a\n" }, "CONSUL_HTTP_TOKEN: is empty or contains"],
	[
		{},
		{ CONSUL_CLIENT_CERT: "a" },
		"CONSUL_CLIENT_KEY: is missing beside CONSUL_CLIENT_CERT",
	],
	[
		{},
		{ CONSUL_CLIENT_KEY: "a" },
		"CONSUL_CLIENT_CERT: is missing beside CONSUL_CLIENT_KEY",
	],
])("%j %j is refused: %s", (options, environment, message) => {
	expect(() => settled(options, environment)).toThrow(OptionError);
	expect(() => settled(options, environment)).toThrow(message);
});

test("the error for an invalid token does not show it", () => {
	expect(() => settled({ token: "my secret" })).toThrow(/^token: (?!.*my)/);
	expect(() => settled({}, { CONSUL_HTTP_TOKEN: "my secret" })).toThrow(
		/^CONSUL_HTTP_TOKEN: (?!.*my)/,
	);
});

describe("the token comes from the options or the environment", () => {
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
			{ "x-consul-token": "from-file" },
		],
		[
			{},
			{ CONSUL_HTTP_TOKEN: "t", CONSUL_HTTP_TOKEN_FILE: file("empty", "\n") },
			{ "x-consul-token": "t" },
		],
		[
			{ token: "given" },
			{ CONSUL_HTTP_TOKEN: "t" },
			{ "x-consul-token": "given" },
		],
		[
			{ token: "given" },
			{ CONSUL_HTTP_TOKEN_FILE: "/nowhere", CONSUL_HTTP_TOKEN: "b a d" },
			{ "x-consul-token": "given" },
		],
		[{}, { CONSUL_HTTP_AUTH: "me:pw" }, { authorization: "Basic bWU6cHc=" }],
		[{}, { CONSUL_HTTP_AUTH: "me" }, { authorization: "Basic bWU6" }],
	])("%j %j: %j", async (options, environment, headers) => {
		expect(await settled(options, environment).headers()).toEqual(headers);
	});

	test("and is read for each request, and refused if it is invalid", async () => {
		const { headers } = settled({ token: () => "" });
		await expect(headers()).rejects.toThrow("token: is empty");
		const path = file("changing", "a");
		const ofFile = settled({}, { CONSUL_HTTP_TOKEN_FILE: path });
		expect(await ofFile.headers()).toEqual({ "x-consul-token": "a" });
		file("changing", "b");
		expect(await ofFile.headers()).toEqual({ "x-consul-token": "b" });
	});
});

test.each([
	["that is not there", join(directory, "none"), "cannot be read: ENOENT"],
	["of two lines", file("lines", "my\nsecret"), "is empty or contains"],
])(
	"a token file %s is refused, and its content is not shown",
	async (_, path, why) => {
		const { headers } = settled({}, { CONSUL_HTTP_TOKEN_FILE: path });
		const error = await headers().catch((error: unknown) => error);
		expect(error).toBeInstanceOf(OptionError);
		const { message } = error as OptionError;
		expect(message).toMatch(/^CONSUL_HTTP_TOKEN_FILE: (?!.*secret)/);
		expect(message).toContain(why);
	},
);

/** A text that is read as a certificate. */
const pemOf = (name: string): string =>
	`-----BEGIN CERTIFICATE-----\n${name}\n-----END CERTIFICATE-----\n`;

test("TLS options come from the environment, unless they are given", async () => {
	const environment = {
		CONSUL_CACERT: file("ca.pem", pemOf("ca")),
		CONSUL_CAPATH: join(directory, "not looked at"),
		CONSUL_CLIENT_CERT: file("cert.pem", "cert"),
		CONSUL_CLIENT_KEY: file("key.pem", "key"),
		CONSUL_TLS_SERVER_NAME: "server.dc1.consul",
		CONSUL_HTTP_SSL_VERIFY: "false",
	};
	const { tls } = settled({}, environment);
	expect(await tls("")).toEqual({
		ca: pemOf("ca"),
		cert: "cert",
		key: "key",
		servername: "server.dc1.consul",
		rejectUnauthorized: false,
	});
	const { certificate: ca } = makeIdentity({ commonName: "other" });
	const given = settled({ tls: { ca } }, environment);
	expect(await given.tls("")).toEqual({ ca });
});

describe("CONSUL_CAPATH", () => {
	function caPath(name: string): string {
		const path = join(directory, name);
		mkdirSync(join(path, "within"), { recursive: true });
		return path;
	}

	const read = async (path: string): Promise<unknown> =>
		settled({}, { CONSUL_CAPATH: path }).tls("");

	test("is a directory of trusted certificates that is read for each connection", async () => {
		const path = caPath("authorities");
		file("authorities/a.pem", pemOf("a"));
		file("authorities/within/b.crt", pemOf("b") + pemOf("c"));
		// The layout of a mounted volume in Kubernetes.
		symlinkSync(path, join(path, "..data"));
		const { tls } = settled({}, { CONSUL_CAPATH: path });
		expect(await tls("")).toEqual({
			ca: [pemOf("a"), pemOf("b") + pemOf("c")].join("\n"),
		});
		file("authorities/a.pem", pemOf("d"));
		expect(await tls("")).toMatchObject({
			ca: expect.stringContaining(pemOf("d")),
		});
	});

	test.each<[string, () => string, string]>([
		[
			"that is not there",
			() => join(directory, "none"),
			`/none" cannot be read: ENOENT`,
		],
		[
			"that is a file",
			() => file("no-directory", pemOf("a")),
			`/no-directory" cannot be read: ENOTDIR`,
		],
		[
			"without a file",
			() => caPath("empty-one"),
			'/empty-one" is a directory without files; put the authorities',
		],
		[
			"with a file that has no certificate",
			() => {
				caPath("mixed");
				file("mixed/a.pem", pemOf("a"));
				file("mixed/within/README", "see a.pem");
				return join(directory, "mixed");
			},
			'/mixed/within/README" contains no certificate in PEM',
		],
	])("%s is refused", async (_, path, message) => {
		const error = await read(path()).catch((error: unknown) => error);
		expect(error).toBeInstanceOf(OptionError);
		expect((error as OptionError).option).toBe("CONSUL_CAPATH");
		expect((error as OptionError).message).toContain(message);
	});
});

test("a CONSUL_CACERT without a certificate is refused", async () => {
	const { tls } = settled({}, { CONSUL_CACERT: file("key-alone", "KEY") });
	await expect(tls("")).rejects.toThrow(
		/^CONSUL_CACERT: ".*key-alone" contains no certificate in PEM/,
	);
});

test("namespace and partition are sent with each request", () => {
	const { query } = settled(
		{ namespace: "team" },
		{ CONSUL_NAMESPACE: "other", CONSUL_PARTITION: "p" },
	);
	expect(query).toEqual({ ns: "team", partition: "p" });
});
