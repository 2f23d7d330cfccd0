import type {
	DescMessage,
	DescMethodStreaming,
	DescMethodUnary,
	MessageInitShape,
} from "@bufbuild/protobuf";
import type {
	ContextValues,
	StreamResponse,
	Transport,
	UnaryResponse,
} from "@connectrpc/connect";
import { builtinRetryThrottling } from "../../policy/builtin-policy.ts";
import { type Clock, systemClock } from "../../policy/clock.ts";
import { RetryThrottle } from "../../policy/retry/retry-throttle.ts";
import type {
	CompiledServiceConfig,
	RetryThrottling,
} from "../../policy/service-config.ts";
import {
	type CallRequest,
	deadlineOf,
	policyOf,
} from "../call/call-request.ts";
import { boundedMessages, CallBounds, cancelled } from "./call-bounds.ts";
import { begun, replayable } from "./foreign-messages.ts";
import { type ForeignRetries, retried } from "./foreign-retry.ts";
import type { Carrier } from "./intercepted-transport.ts";
import { responseOf } from "./returned-response.ts";

/** Longer timers than this (24.8 days) fire at once in JavaScript. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Carries calls over somebody else's Connect Transport, and gives them their deadline, what they inherit, and retries. */
export class ForeignCarrier implements Carrier {
	readonly #transport: Transport;
	readonly #retries: ForeignRetries;
	readonly clock: Clock;
	/** Where the calls really go, only the transport knows. */
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
		this.#retries = { clock, random, throttle: new RetryThrottle(throttling) };
	}

	unary<I extends DescMessage, O extends DescMessage>(
		method: DescMethodUnary<I, O>,
		request: CallRequest,
		input: MessageInitShape<I>,
		contextValues: ContextValues,
	): Promise<UnaryResponse<I, O>> {
		const bounds = new CallBounds(this.clock, request);
		return bounds.run(() =>
			retried(this.#retries, request, bounds.signal, (headers) =>
				within(bounds, () =>
					this.#transport.unary(
						method,
						bounds.signal,
						this.#timeoutMs(request),
						headers,
						input,
						contextValues,
					),
				),
			),
		);
	}

	stream<I extends DescMessage, O extends DescMessage>(
		method: DescMethodStreaming<I, O>,
		request: CallRequest,
		input: AsyncIterable<MessageInitShape<I>>,
		contextValues: ContextValues,
		ended: (error?: unknown) => void,
	): Promise<StreamResponse<I, O>> {
		const bounds = new CallBounds(this.clock, request);
		const send = (
			headers: Headers | undefined,
			messages: AsyncIterable<MessageInitShape<I>>,
		): Promise<StreamResponse<I, O>> =>
			within(bounds, () =>
				this.#transport.stream(
					method,
					bounds.signal,
					this.#timeoutMs(request),
					headers,
					messages,
					contextValues,
				),
			);
		return bounds.run(async () => {
			const response = isRetried(request)
				? await this.#retriedStream(request, bounds.signal, input, send)
				: await send(request.headers, input);
			const release = bounds.hold();
			return {
				...response,
				message: watched(bounds, response.message, (error) => {
					release(error);
					ended(error);
				}),
			};
		});
	}

	/** Until its first message has come: of a failure without one, the headers have often come before, and prove nothing. */
	#retriedStream<I extends DescMessage, O extends DescMessage>(
		request: CallRequest,
		signal: AbortSignal,
		input: AsyncIterable<MessageInitShape<I>>,
		send: (
			headers: Headers | undefined,
			messages: AsyncIterable<MessageInitShape<I>>,
		) => Promise<StreamResponse<I, O>>,
	): Promise<StreamResponse<I, O>> {
		const messages = replayable(input);
		return retried(this.#retries, request, signal, async (headers) => {
			const response = await send(headers, messages);
			return { ...response, message: await begun(response.message) };
		});
	}

	/** Whole milliseconds, as Connect's timers take them; 0 switches off whatever default the transport has. */
	#timeoutMs(request: CallRequest): number {
		const deadline = deadlineOf(request);
		if (deadline === Infinity) return 0;
		const remaining = Math.floor(deadline - this.clock.now());
		return Math.min(Math.max(remaining, 1), MAX_TIMER_MS);
	}
}

/** Of streams only those whose request is one message: others may be sending still when they fail. */
function isRetried(request: CallRequest): boolean {
	return (
		request.method.methodKind === "server_streaming" &&
		policyOf(request).attempts?.kind === "retry"
	);
}

/** A call that is cancelled fails as a call over homing's channels does, whatever its transport makes of the signal. */
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

async function* watched<T>(
	bounds: CallBounds,
	messages: AsyncIterable<T>,
	ended: (error?: unknown) => void,
): AsyncIterable<T> {
	try {
		yield* boundedMessages(bounds, messages);
	} catch (thrown) {
		const { signal } = bounds;
		const error = signal.aborted ? cancelled(signal.reason) : thrown;
		ended(error);
		throw error;
	} finally {
		ended();
	}
}
