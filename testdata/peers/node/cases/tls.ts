import { type Case, fail, instruct, succeed } from "./case.ts";

const call = { method: "Unary", requests: [instruct({ replies: [1] })] };

/** Who trusts whom. What else holds over TLS is said by the other cases. */
export const tlsCases: readonly Case[] = [
	{
		name: "mutual TLS: a client with a certificate",
		setup: { tls: "mutual" },
		run: async (session) => {
			await succeed(session, call);
		},
	},
	{
		name: "mutual TLS: a client without one is UNAVAILABLE",
		setup: { tls: "missing client certificate" },
		run: async (session) => {
			await fail(session, call, 14);
		},
	},
	{
		name: "a server of an unknown authority is UNAVAILABLE",
		setup: { tls: "unknown authority" },
		run: async (session) => {
			await fail(session, call, 14);
		},
	},
];
