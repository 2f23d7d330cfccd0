import type { DescService } from "@bufbuild/protobuf";
import type { Transport } from "@connectrpc/connect";
import { OptionError } from "../checks/option-error.ts";
import { makeClient } from "./client-object.ts";
import type { CompiledClientOptions } from "./options/client-options.ts";
import { ConnectCaller } from "./transport/connect-caller.ts";
import { ForeignCarrier } from "./transport/foreign-carrier.ts";
import { InterceptedTransport } from "./transport/intercepted-transport.ts";

/** Whether a target is a Connect Transport, such as those of createRouterTransport, connect-web and connect-node. */
export function isTransport(target: unknown): target is Transport {
	return (
		typeof target === "object" &&
		target !== null &&
		typeof (target as Partial<Transport>).unary === "function" &&
		typeof (target as Partial<Transport>).stream === "function"
	);
}

/**
 * Makes a client over a Connect Transport that is not a homing Channel. homing adds deadlines, interceptors and retries;
 * connections and balancing are up to the transport.
 *
 * @throws OptionError for channel options, which have no effect here
 */
export function overTransport<T extends object>(
	service: DescService,
	transport: Transport,
	compiled: CompiledClientOptions,
): T {
	refuseChannelOptions(compiled, "Transport");
	const { baked } = compiled.policies;
	const carrier = new ForeignCarrier(transport, baked?.retryThrottling);
	const caller = new ConnectCaller(
		new InterceptedTransport(carrier, compiled.interceptors, compiled.policies),
	);
	return makeClient(service, caller, {
		channel: undefined,
		close: async () => {},
	});
}

/**
 * Refuses channel options for a client over an existing Channel or Transport, which has its options already.
 *
 * @throws OptionError that names the first of them
 */
export function refuseChannelOptions(
	{ channel }: CompiledClientOptions,
	borrowed: "Channel" | "Transport",
): void {
	const [key] = Object.keys(channel);
	if (key !== undefined) {
		throw new OptionError(
			key,
			`is an option of the channel, and this client borrows a ${borrowed}; set it where that is made`,
		);
	}
}
