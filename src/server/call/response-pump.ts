import { isThenable } from "./handler.ts";
import { iteratorOf } from "./message-iterables.ts";

/** The call that a pump sends responses to. */
export interface ResponseSink {
	/** Whether the call still takes responses. */
	readonly takesResponses: boolean;
	/** Sends one response. Returns false when the pump should wait for `proceed`. */
	sendResponse(response: unknown): boolean;
	/** There are no more responses. */
	responsesEnded(): void;
	/** The responses cannot all be had: their iteration has failed, also while it cleaned up. */
	responsesFailed(error: unknown): void;
}

/** Sends what a streaming handler yields, as fast as flow control lets it. */
export class ResponsePump {
	readonly #sink: ResponseSink;
	#iterator: ReturnType<typeof iteratorOf> | undefined;
	#proceed: (() => void) | undefined;

	constructor(sink: ResponseSink) {
		this.#sink = sink;
	}

	/** Begins to send. `output`: what the handler has returned. */
	start(output: unknown): void {
		void this.#pump(output);
	}

	/** There is room for more. */
	proceed(): void {
		const proceed = this.#proceed;
		this.#proceed = undefined;
		proceed?.();
	}

	/** Asks for no more responses, and lets their iteration clean up. */
	stop(): void {
		const iterator = this.#iterator;
		this.#iterator = undefined;
		if (iterator?.return === undefined) return;
		const failed = (error: unknown): void => this.#sink.responsesFailed(error);
		try {
			Promise.resolve(iterator.return()).catch(failed);
		} catch (error) {
			failed(error);
		}
	}

	async #pump(output: unknown): Promise<void> {
		const sink = this.#sink;
		try {
			const iterator = iteratorOf(isThenable(output) ? await output : output);
			this.#iterator = iterator;
			while (sink.takesResponses) {
				const asked = iterator.next();
				const step = isThenable(asked) ? await asked : asked;
				if (!sink.takesResponses) break;
				if (step.done) {
					sink.responsesEnded();
					return;
				}
				if (sink.sendResponse(step.value)) continue;
				// If the call is over before there is room, this waits for ever, and is garbage with the call.
				await new Promise<void>((resolve) => {
					this.#proceed = resolve;
				});
			}
			this.stop();
		} catch (error) {
			sink.responsesFailed(error);
		}
	}
}
