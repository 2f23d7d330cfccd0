import type { DescService } from "@bufbuild/protobuf";
import { ChannelCaller } from "../../src/client/channel-caller.ts";
import { ChannelCore } from "../../src/client/channel-core.ts";
import { settleChannel } from "../../src/client/channel-setting.ts";
import { makeClient } from "../../src/client/client-object.ts";
import {
	type ClientOptions,
	settleClient,
} from "../../src/client/client-options.ts";
import type { Resolver } from "../../src/discovery/resolver.ts";
import { FakeClock } from "./fake-clock.ts";

/** A client whose time stands still until the test moves it. Chance always comes out in the middle. */
export interface ClientInTime<T> extends AsyncDisposable {
	readonly client: T;
	readonly core: ChannelCore;
	readonly clock: FakeClock;
}

export function clientInTime<T extends object>(
	service: DescService,
	target: string | Resolver,
	options: ClientOptions = {},
	clock: FakeClock = new FakeClock(),
): ClientInTime<T> {
	const settled = settleClient(service, options, undefined);
	const core = new ChannelCore(
		settleChannel(target, settled.channel, { clock, random: () => 0.5 }),
	);
	const caller = new ChannelCaller(core, service.methods, settled.policies);
	const close = (): Promise<void> => core.close(0);
	return {
		client: makeClient(service, caller, { channel: undefined, close }),
		core,
		clock,
		[Symbol.asyncDispose]: close,
	};
}
