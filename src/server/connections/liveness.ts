import { formatDuration } from "../../checks/duration.ts";
import type { Clock, Timer } from "../../policy/clock.ts";
import type { ServerConnection } from "../../wire/connection.ts";

export interface LivenessLimits {
	/** How long a client may be quiet before it is sent a PING, in milliseconds (gRFC A8). */
	readonly keepaliveTimeMs: number;
	/** How long it may take to answer the PING, in milliseconds. */
	readonly keepaliveTimeoutMs: number;
	/** How long it may take for the rest of a frame, or of a request's headers, that it has begun, in milliseconds. */
	readonly frameTimeoutMs: number;
}

export interface LivenessListener {
	/** The client is not there any more, or has stopped inside a frame; `why` says how that was found out. */
	gone(what: "keepalive" | "frameTimeout", why: string): void;
}

/** How often a connection is checked within the frame timeout. */
const CHECKS = 4;

/**
 * Finds out by PING whether a client is still there. A client that has stopped inside a frame cannot answer a PING either,
 * and node:http2 does not show incomplete frames. The sign of one is bytes that have been read and of which nothing has come.
 */
export class Liveness {
	readonly #connection: ServerConnection;
	readonly #limits: LivenessLimits;
	readonly #clock: Clock;
	readonly #listener: LivenessListener;
	#timer: Timer;
	/** `heard` and `told` of the connection at the last check, and when `heard` changed last. */
	#heard: number;
	#heardAt: number;
	#told: number;
	/** `heard` when the client last answered a PING: up to there all frames were complete. */
	#answered = 0;
	/** A PING is due at the next check. */
	#isProbing = false;
	#stopped = false;

	constructor(
		connection: ServerConnection,
		clock: Clock,
		limits: LivenessLimits,
		listener: LivenessListener,
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

	/** Sends the client a PING at the next check: one of its requests has stopped in the middle. */
	probe(): void {
		this.#isProbing = true;
	}

	stop(): void {
		this.#stopped = true;
		this.#clock.cancel(this.#timer);
	}

	#wait(): void {
		const { keepaliveTimeMs, frameTimeoutMs } = this.#limits;
		const ms = Math.min(keepaliveTimeMs, frameTimeoutMs / CHECKS);
		this.#later(ms, () => this.#check());
	}

	#later(ms: number, action: () => void): void {
		this.#timer = this.#clock.afterIdle(ms, action);
	}

	#check(): void {
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
		if (stuck || this.#isProbing) {
			this.#isProbing = false;
			this.#ping("frameTimeout", frameTimeoutMs / 2);
		} else if (now - this.#heardAt >= keepaliveTimeMs) {
			this.#ping("keepalive", keepaliveTimeoutMs);
		} else {
			this.#wait();
		}
	}

	#ping(what: "keepalive" | "frameTimeout", withinMs: number): void {
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
		// If this process was busy itself, it may have an answer to read first: that happens between two timers.
		this.#later(withinMs, () => this.#later(0, conclude));
	}
}
