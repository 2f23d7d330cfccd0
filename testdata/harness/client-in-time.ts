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

/** A client whose time stands still until the test moves it. */
export interface ClientInTime<T> extends AsyncDisposable {
	readonly client: T;
	readonly core: ChannelCore;
	readonly clock: FakeClock;
}

/** Unless `environment` says otherwise, connections are real, and chance always comes out in the middle. */
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
			// Time that a test moves on leaves no peer the time to answer.
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
