/** Records what happened to the calls that ask for a witness, on a TypeScript server. */

import { create } from "@bufbuild/protobuf";
import {
	type WitnessReply,
	WitnessReplySchema,
	type WitnessRequest,
} from "../gen/peer_pb.ts";

/** How long `tell` waits for a call to reach the requested point. */
const patienceMs = 10_000;

interface Observed {
	readonly started: PromiseWithResolvers<void>;
	readonly ended: PromiseWithResolvers<void>;
	readonly reply: WitnessReply;
}

export class Witnesses {
	readonly #calls = new Map<string, Observed>();

	/** Records the start of a call, and returns a function that records its end. */
	attend(key: string): (cancelled: boolean) => void {
		if (key === "") return () => undefined;
		const { started, ended, reply } = this.#of(key);
		reply.started = true;
		started.resolve();
		return (cancelled) => {
			reply.ended = true;
			reply.cancelled = cancelled;
			ended.resolve();
		};
	}

	async tell(request: WitnessRequest): Promise<WitnessReply> {
		const { started, ended, reply } = this.#of(request.key);
		await patiently(request.untilEnded ? ended.promise : started.promise);
		return reply;
	}

	#of(key: string): Observed {
		const known = this.#calls.get(key);
		if (known) return known;
		const call = {
			started: Promise.withResolvers<void>(),
			ended: Promise.withResolvers<void>(),
			reply: create(WitnessReplySchema),
		};
		this.#calls.set(key, call);
		return call;
	}
}

function patiently(event: Promise<void>): Promise<void> {
	const { promise, resolve } = Promise.withResolvers<void>();
	const timer = setTimeout(resolve, patienceMs);
	event.then(resolve);
	return promise.finally(() => clearTimeout(timer));
}
