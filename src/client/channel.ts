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
import { ChannelCarrier } from "./transport/channel-carrier.ts";
import { InterceptedTransport } from "./transport/intercepted-transport.ts";

/** The parts of a channel that a client over it uses. */
export interface ChannelInside {
	readonly core: ChannelCore;
	readonly interceptors: readonly Interceptor[];
}

const insides = new WeakMap<Channel, ChannelInside>();

export function insideOf(channel: Channel): ChannelInside {
	return insides.get(channel) as ChannelInside;
}

/**
 * The connections to all endpoints of one service. A resolver finds the endpoints, a balancer chooses one for each call,
 * and each call is an HTTP/2 stream to it. A Channel is a Connect Transport, and several clients can share it. It
 * connects when it is first used; close it when you no longer need it.
 */
export class Channel implements Transport, AsyncDisposable {
	readonly #core: ChannelCore;
	/** Makes a unary call, as Connect clients do. */
	readonly unary: Transport["unary"];
	/** Makes a streaming call, as Connect clients do. */
	readonly stream: Transport["stream"];

	/**
	 * Makes a channel. It does no I/O until the first call, or until `connect`.
	 *
	 * @param target where the service is, as a string, or a resolver that finds it
	 * @param options options of the channel, and Connect interceptors for all calls over it
	 * @param environment the clock, randomness and network to use; for homing itself and its tests
	 * @throws OptionError that names the bad target or option
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
		const transport = new InterceptedTransport(
			new ChannelCarrier(this.#core),
			around,
		);
		this.unary = transport.unary.bind(transport);
		this.stream = transport.stream.bind(transport);
	}

	/** The state of the channel now: that of its best endpoint. */
	get state(): ChannelState {
		return this.#core.state;
	}

	/**
	 * Connects. Resolves when the channel is ready; rejects with the last connection error when `signal` fires.
	 */
	async connect(signal?: AbortSignal): Promise<void> {
		if (signal !== undefined) abortSignal(signal, "signal");
		return this.#core.connect(signal);
	}

	/** Calls `listener` with each new state of the channel. Returns a function that removes the listener. */
	onStateChange(listener: (state: ChannelState) => void): () => void {
		callable(listener, "listener");
		return this.#core.onStateChange(listener);
	}

	/**
	 * Describes the channel at this moment, for logs and debugging: a plain object with its calls, retry tokens and
	 * endpoints. Its shape may change in any version.
	 */
	snapshot(): object {
		return this.#core.snapshot();
	}

	/**
	 * Closes the channel. New calls fail, calls in flight may finish, and calls that are left after `graceMs` milliseconds
	 * (default 0) are cancelled. Resolves when all connections are closed. Later calls return the same promise.
	 */
	close(options: { graceMs?: number } = {}): Promise<void> {
		checkOptions(options, { graceMs: integer(0) });
		return this.#core.close(options.graceMs ?? 0);
	}

	/** The same as `close()`, for `await using`. */
	[Symbol.asyncDispose](): Promise<void> {
		return this.close();
	}
}
