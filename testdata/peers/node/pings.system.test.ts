/** Checks that grpc-go's servers tolerate the PINGs of homing's clients by default ("keepalive.EnforcementPolicy"). */

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
				// This makes the client send as many PINGs in one second as it otherwise sends in fifty.
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
		// There would be as many again if each call had its own allowance.
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
