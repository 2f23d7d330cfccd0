import { parseDuration } from "../../checks/duration.ts";
import type { Clock, Timer } from "../../policy/clock.ts";
import type { ClientConnection } from "../../wire/connection.ts";
import { Http2Code } from "../../wire/http2-code.ts";
import type { Keepalive } from "../options/channel-options.ts";
import { Probe } from "./probe.ts";

/** gRFC A8: what is less counts as this. */
const MIN_TIME_MS = 10_000;
const TIMEOUT_MS = 20_000;

/** How often the connections of one channel are asked for a sign of life. */
export class KeepalivePace {
	#timeMs: number;
	readonly timeoutMs: number;
	readonly withoutCalls: boolean;

	constructor({ time, timeout = TIMEOUT_MS, withoutCalls = false }: Keepalive) {
		const timeMs = parseDuration(time, "keepalive.time");
		this.#timeMs = Math.max(timeMs, MIN_TIME_MS);
		this.timeoutMs = parseDuration(timeout, "keepalive.timeout");
		this.withoutCalls = withoutCalls;
	}

	/** Of silence, before a PING. */
	get timeMs(): number {
		return this.#timeMs;
	}

	/** A server that was asked too often is asked half as often from then on (gRFC A8). */
	heardGoaway({ code, debugData }: { code: number; debugData: string }): void {
		if (code !== Http2Code.ENHANCE_YOUR_CALM) return;
		if (debugData === "too_many_pings") this.#timeMs *= 2;
	}
}

/** Asks one connection for a sign of life, by PING, whenever nothing has come from it for a while (gRFC A8). */
export class KeepaliveWatch {
	readonly #connection: ClientConnection;
	readonly #pace: KeepalivePace;
	readonly #clock: Clock;
	readonly #probe: Probe;
	#heard: number;
	#timer: Timer;

	/** `silent`: the PING was not answered in time. */
	constructor(
		connection: ClientConnection,
		pace: KeepalivePace,
		clock: Clock,
		silent: () => void,
	) {
		this.#connection = connection;
		this.#pace = pace;
		this.#clock = clock;
		this.#heard = connection.heard;
		const answered = (): void => this.#wait();
		this.#probe = new Probe(connection, clock, pace.timeoutMs, {
			answered,
			silent,
		});
		this.#wait();
	}

	stop(): void {
		this.#clock.cancel(this.#timer);
		this.#probe.stop();
	}

	#wait(): void {
		this.#heard = this.#connection.heard;
		this.#timer = this.#clock.afterIdle(this.#pace.timeMs, () => this.#look());
	}

	#look(): void {
		const { heard, openCalls } = this.#connection;
		const wanted = openCalls > 0 || this.#pace.withoutCalls;
		const isAsked = wanted && heard === this.#heard && this.#probe.ask();
		if (!isAsked) this.#wait();
	}
}
