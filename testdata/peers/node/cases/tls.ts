import { expect } from "vitest";
import { type Case, fail, instruct, type Session, succeed } from "./case.ts";

const call = { method: "Unary", requests: [instruct({ replies: [1] })] };

/** Trust in certificates. The other cases check everything else over TLS. */
export const tlsCases: readonly Case[] = [
	{
		name: "mutual TLS: a client with a certificate",
		setup: { tls: "mutual" },
		run: async (session) => {
			await succeed(session, call);
		},
	},
	{
		name: "mutual TLS: a client without one is UNAVAILABLE at once",
		setup: { tls: "missing client certificate" },
		run: failAtOnce,
	},
	{
		name: "a server of an unknown authority is UNAVAILABLE at once",
		setup: { tls: "unknown authority" },
		run: failAtOnce,
	},
];

/** The call must fail at once, and not only when some time limit of the client has passed. */
async function failAtOnce(session: Session): Promise<void> {
	const began = performance.now();
	await fail(session, call, 14);
	expect(performance.now() - began).toBeLessThan(3000);
}
