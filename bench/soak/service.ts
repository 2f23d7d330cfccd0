import type { HandlerContext } from "@connectrpc/connect";
import type { Request } from "../gen/soak_pb.ts";
import type { SoakServer } from "../gen/soak_rpc.ts";

/** The number of messages in a stream. */
export const STREAMED = 3;

type Answer = { number: number };

/** A service that echoes its requests. */
export class SoakService implements SoakServer {
	readonly #waiting = new Map<number, () => void>();

	/** Resolves when the request with that number has reached a handler that hangs. */
	hanging(number: number): Promise<void> {
		return new Promise((resolve) => {
			this.#waiting.set(number, resolve);
		});
	}

	async unary(request: Request, context: HandlerContext): Promise<Answer> {
		if (request.hang) await this.#hang(request, context);
		return { number: request.number };
	}

	async *download(
		request: Request,
		context: HandlerContext,
	): AsyncGenerator<Answer> {
		for (let sent = 0; sent < STREAMED; sent++) {
			yield { number: request.number };
			if (request.hang) await this.#hang(request, context);
		}
	}

	async upload(
		requests: AsyncIterable<Request>,
		context: HandlerContext,
	): Promise<Answer> {
		let number = 0;
		for await (const request of requests) {
			number = request.number;
			if (request.hang) await this.#hang(request, context);
		}
		return { number };
	}

	async *chat(
		requests: AsyncIterable<Request>,
		context: HandlerContext,
	): AsyncGenerator<Answer> {
		for await (const request of requests) {
			yield { number: request.number };
			if (request.hang) await this.#hang(request, context);
		}
	}

	/** Waits until the call is cancelled or its deadline passes. */
	#hang({ number }: Request, { signal }: HandlerContext): Promise<never> {
		this.#waiting.get(number)?.();
		this.#waiting.delete(number);
		return new Promise((_, reject) => {
			const leave = (): void => reject(signal.reason);
			if (signal.aborted) leave();
			else signal.addEventListener("abort", leave, { once: true });
		});
	}
}
