import type { Interceptor, Transport } from "@connectrpc/connect";
import type { ChannelState } from "../balancer/balancer.ts";
import {
	callable,
	checkOptions,
	integer,
	record,
} from "../checks/option-table.ts";
import type { Resolver } from "../discovery/resolver.ts";
import { ChannelCore } from "./channel/channel-core.ts";
import { type Environment, settleChannel } from "./channel/channel-setting.ts";
import { abortSignal } from "./options/call-options.ts";
import type { ChannelOptions } from "./options/channel-options.ts";
import { interceptorList } from "./options/client-options.ts";
import { CallTransport } from "./transport/call-transport.ts";
import { CoreSender } from "./transport/core-sender.ts";

/** What a channel is inside, for the clients that stand on it. */
export interface ChannelInside {
	readonly core: ChannelCore;
	readonly interceptors: readonly Interceptor[];
}

const insides = new WeakMap<Channel, ChannelInside>();

export function insideOf(channel: Channel): ChannelInside {
	return insides.get(channel) as ChannelInside;
}

/**
 * A connection to a service, wherever its endpoints are: a resolver finds them, a balancer chooses among them, and each
 * call is a stream of HTTP/2 to one of them. It is a Connect Transport, and many clients can share it. It connects when
 * it is first used.
 */
export class Channel implements Transport, AsyncDisposable {
	readonly #core: ChannelCore;
	readonly unary: Transport["unary"];
	readonly stream: Transport["stream"];

	/**
	 * Throws a TypeError that names the bad target or option.
	 *
	 * @param environment time, chance and the network, for homing itself and its tests
	 */
	constructor(
		target: string | Resolver,
		options: ChannelOptions & {
			interceptors?: readonly Interceptor[] | undefined;
		} = {},
		environment?: Environment,
	) {
		record(options, "options");
		const { interceptors, ...channelOptions } = options;
		const around = interceptorList(interceptors ?? [], "interceptors");
		this.#core = new ChannelCore(
			settleChannel(target, channelOptions, environment),
		);
		insides.set(this, { core: this.#core, interceptors: around });
		const transport = new CallTransport(new CoreSender(this.#core), around);
		this.unary = transport.unary.bind(transport);
		this.stream = transport.stream.bind(transport);
	}

	get state(): ChannelState {
		return this.#core.state;
	}

	/** Resolves when ready; rejects with the last error when `signal` fires. */
	async connect(signal?: AbortSignal): Promise<void> {
		if (signal !== undefined) abortSignal(signal, "signal");
		return this.#core.connect(signal);
	}

	/** Calls `listener` with each new state; returns a function that stops it. */
	onStateChange(listener: (state: ChannelState) => void): () => void {
		callable(listener, "listener");
		return this.#core.onStateChange(listener);
	}

	/** What there is to see of it now: a plain object, for logs and debugging. */
	snapshot(): object {
		return this.#core.snapshot();
	}

	/** No new calls; those in flight finish, those left after `graceMs` (default 0) are cancelled. The same promise every time. */
	close(options: { graceMs?: number } = {}): Promise<void> {
		checkOptions(options, { graceMs: integer(0) });
		return this.#core.close(options.graceMs ?? 0);
	}

	[Symbol.asyncDispose](): Promise<void> {
		return this.close();
	}
}
