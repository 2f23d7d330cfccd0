import { Code } from "@connectrpc/connect";
import type { VirtualTime } from "./virtual-time.ts";

/** A request as the server has it. */
export interface ReceivedRequest {
	/** Undefined: it went well. */
	answer(code: Code | undefined): void;
	/** Its client has given it up. */
	readonly cancelled: boolean;
}

export interface ServerModel {
	/** Requests worked on at a time; others wait in a queue. */
	readonly workers: number;
	/** What comes when so many wait is answered with UNAVAILABLE at once. */
	readonly queueLimit: number;
	/** What one request takes, in milliseconds: drawn for each. */
	readonly serviceMs: () => number;
	/** What is done later after its arrival, in milliseconds, is answered with UNAVAILABLE. */
	readonly patienceMs: number;
}

interface Waiting {
	readonly request: ReceivedRequest;
	readonly since: number;
}

/** What failing fast takes, in milliseconds. */
const FAILURE_MS = 0.5;

/** One server: a queue, and workers that take from it. What ails it can be changed as time goes. */
export class SimulatedServer {
	readonly address: string;
	readonly zone: string;
	/** "silent": whatever is sent to it is lost, as when its machine has no power. "down": it refuses connections. */
	state: "up" | "down" | "silent" = "up";
	/** How many times longer than usual it works. */
	slowness = 1;
	/** The share of requests that it fails at once, with UNAVAILABLE. */
	failing = 0;
	readonly #time: VirtualTime;
	readonly #random: () => number;
	readonly #model: ServerModel;
	#queue: Waiting[] = [];
	/** Of the queue: those before it are gone. */
	#first = 0;
	#busy = 0;
	/** What it works on is lost when this changes. */
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

	/** Forgets all that it had to do. */
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

	/** What its client has given up meanwhile is left out. */
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
