import { Code } from "@connectrpc/connect";
import type { VirtualTime } from "./virtual-time.ts";

/** A request at the server. */
export interface ReceivedRequest {
	/** Answers the request; `undefined` is success. */
	answer(code: Code | undefined): void;
	/** The client has cancelled it. */
	readonly cancelled: boolean;
}

export interface ServerModel {
	/** How many requests are worked on at the same time. Others wait in a queue. */
	readonly workers: number;
	/** How many requests may wait. Further ones are answered with UNAVAILABLE at once. */
	readonly queueLimit: number;
	/** Draws the service time of a request, in milliseconds. */
	readonly serviceMs: () => number;
	/** A request that is finished later than this after its arrival, in milliseconds, is answered with UNAVAILABLE. */
	readonly patienceMs: number;
}

interface Waiting {
	readonly request: ReceivedRequest;
	readonly since: number;
}

/** How long it takes to fail fast, in milliseconds. */
const FAILURE_MS = 0.5;

/** A server with a queue, and workers that take requests from it. Scenarios change how slow it is and how often it fails. */
export class SimulatedServer {
	readonly address: string;
	readonly zone: string;
	/** "silent": all that is sent to it is lost, as if its machine had no power. "down": it refuses connections. */
	state: "up" | "down" | "silent" = "up";
	/** The factor by which service times are longer than usual. */
	slowness = 1;
	/** The share of requests that it answers with UNAVAILABLE at once. */
	failing = 0;
	readonly #time: VirtualTime;
	readonly #random: () => number;
	readonly #model: ServerModel;
	#queue: Waiting[] = [];
	/** Index of the first request in the queue; those before it are done. */
	#first = 0;
	#busy = 0;
	/** Changes with each crash, which loses the requests that are worked on. */
	#life = 0;

	constructor(
		address: string,
		zone: string,
		model: ServerModel,
		time: VirtualTime,
		random: () => number,
	) {
		this.address = address;
		this.zone = zone;
		this.#model = model;
		this.#time = time;
		this.#random = random;
	}

	receive(request: ReceivedRequest): void {
		if (this.failing > 0 && this.#random() < this.failing) {
			this.#time.after(FAILURE_MS, () => request.answer(Code.Unavailable));
		} else if (this.#busy < this.#model.workers) {
			this.#work({ request, since: this.#time.now() });
		} else if (this.#queue.length - this.#first < this.#model.queueLimit) {
			this.#queue.push({ request, since: this.#time.now() });
		} else {
			request.answer(Code.Unavailable);
		}
	}

	/** Loses all requests. */
	crash(): void {
		this.#life += 1;
		this.#queue = [];
		this.#first = 0;
		this.#busy = 0;
	}

	#work({ request, since }: Waiting): void {
		const { serviceMs, patienceMs } = this.#model;
		const life = this.#life;
		this.#busy += 1;
		this.#time.after(serviceMs() * this.slowness, () => {
			if (life !== this.#life) return;
			this.#busy -= 1;
			const late = this.#time.now() - since > patienceMs;
			request.answer(late ? Code.Unavailable : undefined);
			this.#next();
		});
	}

	/** Starts the next request that has not been cancelled. */
	#next(): void {
		while (this.#first < this.#queue.length) {
			const next = this.#queue[this.#first++] as Waiting;
			if (next.request.cancelled) continue;
			this.#work(next);
			break;
		}
		if (this.#first * 2 > this.#queue.length) {
			this.#queue = this.#queue.slice(this.#first);
			this.#first = 0;
		}
	}
}
