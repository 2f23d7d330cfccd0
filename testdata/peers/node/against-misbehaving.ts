/** Declares a test for each misbehaving server, with one client. */

import { describe, expect, test } from "vitest";
import { misbehaviours } from "./misbehaving.ts";
import type { ClientPeer } from "./peer.ts";

/** A timeout that is long enough to connect and call on a loaded machine. */
const timeoutMs = 1500;

/** A known deviation of a client: the code with which its calls end, and how many requests it makes. */
interface Deviation {
	readonly code?: number;
	readonly requests?: number;
}

/** @param deviations known deviations, by the name of the misbehaviour */
export function testAgainstMisbehaving(
	client: ClientPeer,
	deviations: Readonly<Record<string, Deviation>> = {},
	skip?: string | undefined,
): void {
	describe(`${client.name} client → misbehaving server`, () => {
		if (skip !== undefined) {
			test.skip(skip);
			return;
		}
		for (const { name, codes, message, start, ...expected } of misbehaviours) {
			const { code, requests = expected.requests } = deviations[name] ?? {};
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
					expect(
						code === undefined ? codes : [code],
						status?.message,
					).toContain(status?.code);
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
