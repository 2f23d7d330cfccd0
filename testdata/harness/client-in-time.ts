import type { DescService } from "@bufbuild/protobuf";
import { DirectCaller } from "../../src/client/call/direct-caller.ts";
import { ChannelCore } from "../../src/client/channel/channel-core.ts";
import {
	type Environment,
	settleChannel,
} from "../../src/client/channel/channel-setting.ts";
import { makeClient } from "../../src/client/client-object.ts";
import {
	type ClientOptions,
	compileClientOptions,
} from "../../src/client/options/client-options.ts";
import type { Resolver } from "../../src/discovery/resolver.ts";
import { FakeClock } from "./fake-clock.ts";

/** A client with a fake clock that the test advances. */
export interface ClientInTime<T> extends AsyncDisposable {
	readonly client: T;
	readonly core: ChannelCore;
	readonly clock: FakeClock;
}

/** Makes such a client. By default, connections are real, and random numbers are always 0.5. */
export function clientInTime<T extends object>(
	service: DescService,
	target: string | Resolver,
	options: ClientOptions = {},
	clock: FakeClock = new FakeClock(),
	environment: Partial<Environment> = {},
): ClientInTime<T> {
	const compiled = compileClientOptions(service, options, undefined);
	const core = new ChannelCore(
		settleChannel(target, compiled.channel, {
			random: () => 0.5,
			// When a test advances the clock, peers have no time to answer.
			silenceMs: Infinity,
			...environment,
			clock,
		}),
	);
	const caller = new DirectCaller(core, service.methods, compiled.policies);
	const close = (): Promise<void> => core.close(0);
	return {
		client: makeClient(service, caller, { channel: undefined, close }),
		core,
		clock,
		[Symbol.asyncDispose]: close,
	};
}
