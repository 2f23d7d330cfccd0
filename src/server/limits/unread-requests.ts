import { Code, ConnectError } from "@connectrpc/connect";
import type { Clock, Timer } from "../../policy/clock.ts";
import type { OpenCall } from "../call/call-host.ts";
import type { OpenCalls } from "../call/open-calls.ts";
import type { Peer } from "../call/peer.ts";
import { UnreadBytes } from "../call/unread-bytes.ts";
import type { Refusals } from "./refusals.ts";

export interface UnreadRequestsSetting {
	readonly maxUnreadRequestBytes: number;
	readonly frameTimeoutMs: number;
}

/** What the largest message may take in addition to its own bytes. */
const SLACK_BYTES = 1024;

/** Calls are ended until no more than this part of the limit is left. */
const KEPT = 7 / 8;

/** How often calls are checked within the frame timeout. */
const CHECKS = 4;

/** Limits the request messages that wait for handlers: their bytes, over all calls of a server, and incomplete ones whose client has vanished. */
export class UnreadRequests {
	readonly bytes: UnreadBytes;
	readonly #calls: OpenCalls<OpenCall>;
	readonly #clock: Clock;
	readonly #setting: UnreadRequestsSetting;
	readonly #refusals: Refusals;
	readonly #probe: (peer: Peer) => void;
	/** At the last check: the calls with an incomplete message, and their last arrival. */
	#before: ReadonlyMap<OpenCall, number> = new Map();
	#timer: Timer;

	/** `probe`: finds out whether a client is still there, one of whose messages has stopped in the middle. */
	constructor(
		calls: OpenCalls<OpenCall>,
		clock: Clock,
		setting: UnreadRequestsSetting,
		refusals: Refusals,
		probe: (peer: Peer) => void,
	) {
		this.#calls = calls;
		this.#clock = clock;
		this.#setting = setting;
		this.#refusals = refusals;
		this.#probe = probe;
		this.bytes = new UnreadBytes(
			setting.maxUnreadRequestBytes + SLACK_BYTES,
			() => this.#shed(),
		);
	}

	/** Checks calls from time to time, while there are any. */
	watch(): void {
		if (this.#timer !== undefined) return;
		const { frameTimeoutMs } = this.#setting;
		this.#timer = this.#clock.afterIdle(frameTimeoutMs / CHECKS, () => {
			this.#timer = undefined;
			this.#check();
			if (this.#calls.size > 0) this.watch();
		});
	}

	#check(): void {
		const now = new Map<OpenCall, number>();
		for (const call of this.#calls) {
			const { arrival, lastArrival } = call;
			if (!arrival.call.isInMessage) continue;
			now.set(call, lastArrival);
			if (this.#before.get(call) === lastArrival) this.#probe(arrival.peer);
		}
		this.#before = now;
	}

	/** Ends calls that hold many bytes, beginning with those that have received nothing for the longest time. */
	#shed(): void {
		const { bytes } = this;
		const holding = [...this.#calls].filter((call) => call.unreadBytes > 0);
		const enough = bytes.bytes / holding.length / 2;
		const large = holding
			.filter((call) => call.unreadBytes >= enough)
			.sort((a, b) => a.lastArrival - b.lastArrival);
		for (const call of large) {
			if (bytes.bytes <= bytes.maxBytes * KEPT) return;
			const { unreadBytes, arrival } = call;
			call.cancel(tooMuchUnread(this.#setting.maxUnreadRequestBytes));
			this.#refusals.tell(
				"maxUnreadRequestBytes",
				`a call ended that had ${unreadBytes} bytes of requests waiting`,
				arrival.peer,
			);
		}
	}
}

function tooMuchUnread(maxBytes: number): ConnectError {
	return new ConnectError(
		`more than ${maxBytes} bytes of requests wait at the server to be read (its maxUnreadRequestBytes), and for this call nothing came for long`,
		Code.ResourceExhausted,
	);
}
