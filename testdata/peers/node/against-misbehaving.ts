/** Declares a test for each misbehaving server, with one client. */

import { describe, expect, test } from "vitest";
import { misbehaviours } from "./misbehaving.ts";
import type { ClientPeer } from "./peer.ts";

/** Long enough for a loaded machine to connect and call. */
const timeoutMs = 1500;

/**
 * `deviations` are names of misbehaviours that the client is known to take
 * otherwise, with the code that it gives.
 */
export function testAgainstMisbehaving(
	client: ClientPeer,
	deviations: Readonly<Record<string, number>> = {},
	skip?: string | undefined,
): void {
	describe(`${client.name} client → misbehaving server`, () => {
		if (skip !== undefined) {
			test.skip(skip);
			return;
		}
		for (const { name, codes, message, requests, start } of misbehaviours) {
			test.concurrent(name, async () => {
				const server = await start();
				const { address, ca } = server;
				const connection = await client.connect({
					address,
					...(ca !== undefined && { tls: { ca } }),
				});
				try {
					const { status } = await connection.perform({
						method: "Nothing",
						timeoutMs,
					});
					const known = deviations[name];
					const expected = known === undefined ? codes : [known];
					expect(expected, status?.message).toContain(status?.code);
					if (message !== undefined) expect(status?.message).toBe(message);
					if (requests !== undefined) expect(server.requests).toBe(requests);
				} finally {
					await connection.close();
					await server.stop();
				}
			});
		}
	});
}
