import type { DescService } from "@bufbuild/protobuf";
import type { Transport } from "@connectrpc/connect";
import { OptionError } from "../checks/option-error.ts";
import type { Resolver } from "../discovery/resolver.ts";
import type { ServiceConfig } from "../policy/service-config.ts";
import type { Caller } from "./call/caller.ts";
import { DirectCaller } from "./call/direct-caller.ts";
import { Channel, insideOf } from "./channel.ts";
import { makeClient } from "./client-object.ts";
import {
	type ClientOptions,
	type CompiledClientOptions,
	compileClientOptions,
	refuseChannelOptions,
} from "./options/client-options.ts";
import { ChannelCarrier } from "./transport/channel-carrier.ts";
import { ConnectCaller } from "./transport/connect-caller.ts";
import { foreignCaller, isTransport } from "./transport/foreign-caller.ts";
import { InterceptedTransport } from "./transport/intercepted-transport.ts";

/**
 * What a client calls. For a string or a Resolver, the client makes a channel and owns it: closing the client closes the
 * channel. A Channel or Transport is borrowed: several clients may share it, and closing a client leaves it open.
 */
export type Target = string | Resolver | Channel | Transport;

/**
 * Makes a client of a service. The generated `New…Client` functions call it.
 *
 * @param target what to call; by default the target that the proto declares
 * @param options policies, interceptors, and options of the channel that the client makes
 * @param baked the policies and the target that the plugin found in the proto
 * @throws OptionError that names the bad target or option
 */
export function newClient<T extends object>(
	service: DescService,
	target: Target | undefined,
	options: ClientOptions = {},
	baked?: ServiceConfig & { target?: string },
): T {
	const compiled = compileClientOptions(service, options, baked);
	const found = target ?? baked?.target;
	if (found instanceof Channel) {
		refuseChannelOptions(compiled, "Channel");
		return overChannel(service, found, compiled, async () => {});
	}
	if (isTransport(found)) {
		return makeClient(service, foreignCaller(found, compiled));
	}
	if (found === undefined) {
		throw new OptionError(
			"target",
			`is missing, and the proto gives ${service.typeName} none; pass one like "localhost:50051"`,
		);
	}
	const { balancer, serviceConfig } = compiled.channel;
	const channel = new Channel(found, {
		...compiled.channel,
		// The service config in the generated code also configures the channel, unless the options do.
		serviceConfig:
			serviceConfig ?? (balancer === undefined ? baked : undefined),
	});
	return overChannel(service, channel, compiled, () => channel.close());
}

function overChannel<T extends object>(
	service: DescService,
	channel: Channel,
	{ interceptors, policies }: CompiledClientOptions,
	close: () => Promise<void>,
): T {
	const { core, interceptors: channelsOwn } = insideOf(channel);
	const around = [...interceptors, ...channelsOwn];
	const caller: Caller =
		around.length === 0
			? new DirectCaller(core, service.methods, policies)
			: new ConnectCaller(
					new InterceptedTransport(new ChannelCarrier(core), around, policies),
				);
	return makeClient(service, caller, { channel, close });
}
