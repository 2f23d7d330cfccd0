import { formatDuration } from "../../checks/duration.ts";
import type { Clock, Timer } from "../../policy/clock.ts";
import type { ServerConnection } from "../../wire/connection.ts";

export interface PresenceLimits {
	/** Of silence, before a client is asked whether it is there (gRFC A8). */
	readonly keepaliveTimeMs: number;
	/** What it then has to answer. */
	readonly keepaliveTimeoutMs: number;
	/** For the rest of a frame that was begun, and for a request's headers. */
	readonly frameTimeoutMs: number;
}

export interface PresenceListener {
	/** It is not, or has stopped inside a frame; `why` says how that was found out. */
	gone(what: "keepalive" | "frameTimeout", why: string): void;
}

/** How often a connection is looked at, beside the time that a frame may take. */
const LOOKS = 4;

/**
 * Whether a client is still there, by PING. One that has stopped inside a frame cannot answer: node:http2 does not show
 * frames that are not whole, so that bytes of which nothing came are the sign to ask.
 */
export class Presence {
	readonly #connection: ServerConnection;
	readonly #limits: PresenceLimits;
	readonly #clock: Clock;
	readonly #listener: PresenceListener;
	#timer: Timer;
	/** As of the last look. */
	#heard: number;
	#heardAt: number;
	#told: number;
	/** Up to here all frames were whole. */
	#answered = 0;
	#doubted = false;
	#stopped = false;

	constructor(
		connection: ServerConnection,
		clock: Clock,
		limits: PresenceLimits,
		listener: PresenceListener,
	) {
		this.#connection = connection;
		this.#clock = clock;
		this.#limits = limits;
		this.#listener = listener;
		this.#heard = connection.heard;
		this.#heardAt = clock.now();
		this.#told = connection.told;
		this.#wait();
	}

	/** One of its requests has stopped in the middle: it is asked at the next look. */
	doubt(): void {
		this.#doubted = true;
	}

	stop(): void {
		this.#stopped = true;
		this.#clock.cancel(this.#timer);
	}

	#wait(): void {
		const { keepaliveTimeMs, frameTimeoutMs } = this.#limits;
		const ms = Math.min(keepaliveTimeMs, frameTimeoutMs / LOOKS);
		this.#later(ms, () => this.#look());
	}

	#later(ms: number, action: () => void): void {
		this.#timer = this.#clock.afterIdle(ms, action);
	}

	#look(): void {
		const { heard, told } = this.#connection;
		const now = this.#clock.now();
		const isBehind = heard > Math.max(told, this.#answered);
		const wasBehind = this.#heard > Math.max(this.#told, this.#answered);
		const stuck = isBehind && wasBehind && told === this.#told;
		if (heard !== this.#heard) this.#heardAt = now;
		this.#heard = heard;
		this.#told = told;
		const { keepaliveTimeMs, keepaliveTimeoutMs, frameTimeoutMs } =
			this.#limits;
		if (stuck || this.#doubted) {
			this.#doubted = false;
			this.#ask("frameTimeout", frameTimeoutMs / 2);
		} else if (now - this.#heardAt >= keepaliveTimeMs) {
			this.#ask("keepalive", keepaliveTimeoutMs);
		} else {
			this.#wait();
		}
	}

	#ask(what: "keepalive" | "frameTimeout", withinMs: number): void {
		const { heard, told } = this.#connection;
		let waiting = true;
		const goOn = (): void => {
			waiting = false;
			this.#answered = this.#connection.heard;
			this.#heardAt = this.#clock.now();
			this.#wait();
		};
		const isSent = this.#connection.ping(() => {
			if (!waiting || this.#stopped) return;
			this.#clock.cancel(this.#timer);
			goOn();
		});
		if (!isSent) {
			this.#wait();
			return;
		}
		const conclude = (): void => {
			const { heard: heardNow, told: toldNow } = this.#connection;
			const isThere =
				what === "keepalive" ? heardNow !== heard : toldNow !== told;
			if (isThere) {
				goOn();
				return;
			}
			waiting = false;
			this.#listener.gone(
				what,
				what === "keepalive"
					? `no answer to a PING in ${formatDuration(withinMs)}: the client is stopped, or cut off`
					: `a frame, or a request's headers, did not end in ${formatDuration(this.#limits.frameTimeoutMs)}`,
			);
		};
		// A process that was held up itself has answers to read first: they come between two timers.
		this.#later(withinMs, () => this.#later(0, conclude));
	}
}
