import type { Transport } from "@connectrpc/connect";
import type { Caller } from "../call/caller.ts";
import {
	type CompiledClientOptions,
	refuseChannelOptions,
} from "../options/client-options.ts";
import { ConnectCaller } from "./connect-caller.ts";
import { ForeignCarrier } from "./foreign-carrier.ts";
import { InterceptedTransport } from "./intercepted-transport.ts";

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
 * Makes the caller of a client over a Connect Transport that is not a homing Channel. homing adds deadlines, interceptors
 * and retries; connections and balancing are up to the transport.
 *
 * @throws OptionError for channel options, which have no effect here
 */
export function foreignCaller(
	transport: Transport,
	compiled: CompiledClientOptions,
): Caller {
	refuseChannelOptions(compiled, "Transport");
	const { interceptors, policies } = compiled;
	const carrier = new ForeignCarrier(
		transport,
		policies.baked?.retryThrottling,
	);
	return new ConnectCaller(
		new InterceptedTransport(carrier, interceptors, policies),
	);
}
