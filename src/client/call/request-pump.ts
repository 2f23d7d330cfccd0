import type { DescMessage, MessageInitShape } from "@bufbuild/protobuf";
import { shown } from "../../checks/option-error.ts";
import type { Messages } from "./caller.ts";

/** The streaming call that a pump sends requests to. */
export interface RequestSink<M> {
	/** Whether the call still takes requests. */
	readonly takesRequests: boolean;
	/** Sends one message. Returns a promise if the next one has to wait for room. Throws, or rejects, if it could not be sent. */
	sendNext(message: M): Promise<void> | undefined;
	/** There are no more messages. */
	requestsEnded(): void;
	/** The messages cannot all be sent: their iteration, or sending one of them, has failed. */
	requestsFailed(error: unknown): void;
}

type AnyIterator<M> = Iterator<M> | AsyncIterator<M>;

/**
 * Sends what an iteration yields to a call, as fast as flow control lets it. Where the iteration is synchronous and there
 * is room, it makes no promise for a message.
 */
export class RequestPump<I extends DescMessage> {
	readonly #messages: Messages<I>;
	readonly #sink: RequestSink<MessageInitShape<I>>;
	/** Undefined before the iteration has begun, and after it has ended. */
	#iterator: AnyIterator<MessageInitShape<I>> | undefined;

	constructor(messages: Messages<I>, sink: RequestSink<MessageInitShape<I>>) {
		this.#messages = messages;
		this.#sink = sink;
	}

	/** Begins to send. Tells `requestsFailed` of a TypeError if the messages are nothing to iterate over. */
	start(): void {
		void this.#pump();
	}

	/** Asks for no more messages, and lets their iteration clean up. What it throws then is ignored. */
	stop(): void {
		const iterator = this.#iterator;
		this.#iterator = undefined;
		if (iterator?.return === undefined) return;
		void (async () => iterator.return?.())().catch(() => {});
	}

	async #pump(): Promise<void> {
		const sink = this.#sink;
		let isAsking = true;
		try {
			const iterator = iteratorOf(this.#messages);
			this.#iterator = iterator;
			while (sink.takesRequests) {
				isAsking = true;
				const asked = iterator.next();
				const step = "then" in asked ? await asked : asked;
				if (step.done) {
					this.#iterator = undefined;
					sink.requestsEnded();
					return;
				}
				isAsking = false;
				if (!sink.takesRequests) break;
				const room = sink.sendNext(step.value);
				if (room !== undefined) await room;
			}
			this.stop();
		} catch (error) {
			// An iterator that throws has ended.
			if (isAsking) this.#iterator = undefined;
			sink.requestsFailed(error);
			this.stop();
		}
	}
}

/** Iterates over messages. Throws TypeError for what is no iterable. */
export function iteratorOf<I extends DescMessage>(
	messages: Messages<I>,
): AnyIterator<MessageInitShape<I>> {
	const given = messages as Partial<
		AsyncIterable<MessageInitShape<I>> & Iterable<MessageInitShape<I>>
	> | null;
	const iterator =
		given?.[Symbol.asyncIterator]?.() ?? given?.[Symbol.iterator]?.();
	if (iterator === undefined) {
		throw new TypeError(
			`${shown(messages)} is nothing to iterate over; give an array or a generator of messages`,
		);
	}
	return iterator;
}
