/** PINGs that grpc-go's servers bear by default ("keepalive.EnforcementPolicy"), and homing's clients send. */

import { Channel, Code, ConnectError } from "homing";
import { expect, test } from "vitest";
import { systemClock } from "../../../src/policy/clock.ts";
import { NewPeerClient } from "../gen/peer_rpc.ts";
import { goMissing, goServer } from "./go.ts";

test.skipIf(goMissing !== undefined)(
	`a grpc-go server bears the PINGs of calls that stay quiet${goMissing ? ` (${goMissing})` : ""}`,
	async () => {
		const server = await goServer.start({});
		await using stack = new AsyncDisposableStack();
		stack.defer(() => server.stop());
		const states: string[] = [];
		const channel = stack.use(
			new Channel(
				server.address,
				{
					hooks: {
						endpointState: (_, state, reason) =>
							states.push(`${state} ${reason}`),
					},
				},
				// As many PINGs in a second as otherwise in fifty.
				{ clock: systemClock, random: Math.random, silenceMs: 20 },
			),
		);
		const client = NewPeerClient(channel);
		const stayQuiet = async (): Promise<void> => {
			const call = client.unary({ waitForCancel: true }, { timeoutMs: 1_000 });
			const error = ConnectError.from(await call.catch((error) => error));
			expect(error.code, error.message).toBe(Code.DeadlineExceeded);
		};
		await stayQuiet();
		// As many again, if there were an allowance for each call.
		await stayQuiet();
		await client.nothing({});
		await stayQuiet();
		await client.nothing({});
		expect(states).toEqual([
			expect.stringMatching(/^connecting/),
			expect.stringMatching(/^ready/),
		]);
	},
);
