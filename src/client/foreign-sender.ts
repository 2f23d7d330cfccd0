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
import { type Clock, systemClock } from "../policy/clock.ts";
import type { CompiledServiceConfig } from "../policy/service-config.ts";
import { boundedMessages, CallBounds, cancelled } from "./call-bounds.ts";
import { type CallRequest, deadlineOf } from "./call-request.ts";
import type { Sender } from "./call-transport.ts";
import { responseOf } from "./returned-response.ts";

/** Longer timers than this (24.8 days) fire at once in JavaScript. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Carries calls over somebody else's Connect Transport, and gives them their deadline and what they inherit. */
export class ForeignSender implements Sender {
	readonly #transport: Transport;
	readonly clock: Clock = systemClock;
	/** Where the calls really go, only the transport knows. */
	readonly origin = "http://localhost";
	readonly serviceConfigs: readonly CompiledServiceConfig[] = [];

	constructor(transport: Transport) {
		this.#transport = transport;
	}

	unary<I extends DescMessage, O extends DescMessage>(
		method: DescMethodUnary<I, O>,
		request: CallRequest,
		input: MessageInitShape<I>,
		contextValues: ContextValues,
	): Promise<UnaryResponse<I, O>> {
		const bounds = new CallBounds(this.clock, request);
		return bounds.run(() =>
			within(bounds, () =>
				this.#transport.unary(
					method,
					bounds.signal,
					this.#timeoutMs(request),
					request.headers,
					input,
					contextValues,
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
		return bounds.run(async () => {
			const response = await within(bounds, () =>
				this.#transport.stream(
					method,
					bounds.signal,
					this.#timeoutMs(request),
					request.headers,
					input,
					contextValues,
				),
			);
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

	/** Whole milliseconds, as Connect's timers take them; 0 switches off whatever default the transport has. */
	#timeoutMs(request: CallRequest): number {
		const deadline = deadlineOf(request);
		if (deadline === Infinity) return 0;
		const remaining = Math.floor(deadline - this.clock.now());
		return Math.min(Math.max(remaining, 1), MAX_TIMER_MS);
	}
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
