import type {
	DescMessage,
	DescMethodStreaming,
	DescMethodUnary,
	MessageInitShape,
} from "@bufbuild/protobuf";
import type {
	StreamResponse,
	Transport,
	UnaryResponse,
} from "@connectrpc/connect";
import { builtinRetryThrottling } from "../../policy/builtin-policy.ts";
import { type Clock, systemClock } from "../../policy/clock.ts";
import { Deadlines } from "../../policy/deadlines.ts";
import { RetryThrottle } from "../../policy/retry/retry-throttle.ts";
import type {
	CompiledServiceConfig,
	RetryThrottling,
} from "../../policy/service-config.ts";
import { policyOf } from "../call/call-request.ts";
import { boundedMessages, CallBounds, cancelled } from "./call-bounds.ts";
import { type CarriedCall, type Carrier, deadlineOf } from "./carrier.ts";
import { begun, replayable, watched } from "./foreign-messages.ts";
import { type ForeignRetries, retried } from "./foreign-retry.ts";
import { responseOf } from "./returned-response.ts";

/** JavaScript's timers fire at once for delays longer than this (24.8 days). */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Carries calls over a Connect Transport that is not homing's, and adds deadlines, cancellation and retries. */
export class ForeignCarrier implements Carrier {
	readonly #transport: Transport;
	readonly #retries: ForeignRetries;
	readonly clock: Clock;
	readonly deadlines: Deadlines;
	/** Only the transport knows where the calls really go. */
	readonly origin = "http://localhost";
	readonly serviceConfigs: readonly CompiledServiceConfig[] = [];

	constructor(
		transport: Transport,
		throttling: RetryThrottling = builtinRetryThrottling,
		clock: Clock = systemClock,
		random: () => number = Math.random,
	) {
		this.#transport = transport;
		this.clock = clock;
		this.deadlines = new Deadlines(clock);
		this.#retries = { clock, random, throttle: new RetryThrottle(throttling) };
	}

	unary<I extends DescMessage, O extends DescMessage>(
		call: CarriedCall<DescMethodUnary<I, O>>,
		input: MessageInitShape<I>,
	): Promise<UnaryResponse<I, O>> {
		const bounds = new CallBounds(this, call);
		return bounds.run(() =>
			retried(this.#retries, call, bounds.signal, (headers) =>
				within(bounds, () =>
					this.#transport.unary(
						call.method,
						bounds.signal,
						this.#timeoutMs(call),
						headers,
						input,
						call.contextValues,
					),
				),
			),
		);
	}

	stream<I extends DescMessage, O extends DescMessage>(
		call: CarriedCall<DescMethodStreaming<I, O>>,
		input: AsyncIterable<MessageInitShape<I>>,
		ended: (error?: unknown) => void,
	): Promise<StreamResponse<I, O>> {
		const bounds = new CallBounds(this, call);
		const { signal } = bounds;
		const send = (
			headers: Headers | undefined,
			messages: AsyncIterable<MessageInitShape<I>>,
		): Promise<StreamResponse<I, O>> =>
			within(bounds, () =>
				this.#transport.stream(
					call.method,
					signal,
					this.#timeoutMs(call),
					headers,
					messages,
					call.contextValues,
				),
			);
		return bounds.run(async () => {
			const response = isRetried(call)
				? await this.#retriedStream(call, signal, input, send)
				: await send(call.headers, input);
			const release = bounds.hold();
			const messages = boundedMessages(bounds, response.message);
			const message = watched(messages, {
				errorOf: (thrown) =>
					signal.aborted ? cancelled(signal.reason) : thrown,
				ended: (error) => {
					release(error);
					ended(error);
				},
			});
			return { ...response, message };
		});
	}

	/**
	 * Retries a stream until its first message has come. The response headers prove nothing: of a call that fails without a
	 * message, they have often come before.
	 */
	#retriedStream<I extends DescMessage, O extends DescMessage>(
		call: CarriedCall,
		signal: AbortSignal,
		input: AsyncIterable<MessageInitShape<I>>,
		send: (
			headers: Headers | undefined,
			messages: AsyncIterable<MessageInitShape<I>>,
		) => Promise<StreamResponse<I, O>>,
	): Promise<StreamResponse<I, O>> {
		const messages = replayable(input);
		return retried(this.#retries, call, signal, async (headers) => {
			const response = await send(headers, messages);
			return { ...response, message: await begun(response.message) };
		});
	}

	/** The time that is left, in whole milliseconds, as Connect's timers take it. 0 switches off the transport's default. */
	#timeoutMs(call: CarriedCall): number {
		const deadline = deadlineOf(call);
		if (deadline === Infinity) return 0;
		const remaining = Math.floor(deadline - this.clock.now());
		return Math.min(Math.max(remaining, 1), MAX_TIMER_MS);
	}
}

/** Of the streams, only those with a single request are retried: others may still be sending when they fail. */
function isRetried(call: CarriedCall): boolean {
	return (
		call.method.methodKind === "server_streaming" &&
		policyOf(call).attempts?.kind === "retry"
	);
}

/** Lets a call that is cancelled fail as it would over a Channel, whatever its transport makes of the signal. */
async function within<T>(
	{ signal }: CallBounds,
	call: () => Promise<T>,
): Promise<T> {
	if (signal.aborted) throw cancelled(signal.reason);
	try {
		return responseOf("the transport", await call());
	} catch (error) {
		throw signal.aborted ? cancelled(signal.reason) : error;
	}
}
