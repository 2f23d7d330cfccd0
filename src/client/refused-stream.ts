import type {
	DescMessage,
	MessageInitShape,
	MessageShape,
} from "@bufbuild/protobuf";
import type { StreamHandle } from "./call/caller.ts";

/** The handle of a streaming call that could not start, because of bad options or a bad request. Every promise of it rejects with the reason. */
export class RefusedStream<I extends DescMessage, O extends DescMessage>
	implements StreamHandle<I, O>
{
	readonly #reason: unknown;

	constructor(reason: unknown) {
		this.#reason = reason;
	}

	get header(): Promise<Headers> {
		return quiet(this.#refuse());
	}

	get trailer(): Promise<Headers> {
		return quiet(this.#refuse());
	}

	send(_message: MessageInitShape<I>): Promise<void> {
		return this.#refuse();
	}

	async closeSend(): Promise<void> {}

	sendOnly(): void {}

	sendAll(): void {}

	recv(): Promise<MessageShape<O> | undefined> {
		return this.#refuse();
	}

	recvOnly(): Promise<MessageShape<O>> {
		return this.#refuse();
	}

	closeAndRecv(): Promise<MessageShape<O>> {
		return this.#refuse();
	}

	cancel(): void {}

	async [Symbol.asyncDispose](): Promise<void> {}

	[Symbol.asyncIterator](): AsyncIterator<MessageShape<O>, undefined> {
		return {
			next: () => this.#refuse(),
			return: async () => ({ done: true, value: undefined }),
		};
	}

	#refuse(): Promise<never> {
		return Promise.reject(this.#reason);
	}
}

/** Keeps a rejection that nobody handles from ending the process. */
function quiet<T>(promise: Promise<T>): Promise<T> {
	promise.catch(() => {});
	return promise;
}
