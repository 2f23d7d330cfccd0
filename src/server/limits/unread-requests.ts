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

/** What the largest message takes beside its own bytes. */
const SLACK_BYTES = 1024;

/** So much of what may wait is left when calls had to end. */
const KEPT = 7 / 8;

/** How often calls are looked at, beside the time that a frame may take. */
const LOOKS = 4;

/** Bounds what waits of requests: by its bytes, over all calls of a server, and by whether its client is still there. */
export class UnreadRequests {
	readonly bytes: UnreadBytes;
	readonly #calls: OpenCalls<OpenCall>;
	readonly #clock: Clock;
	readonly #setting: UnreadRequestsSetting;
	readonly #refusals: Refusals;
	readonly #doubt: (peer: Peer) => void;
	/** Calls inside a message, with their last arrival, as of the last look. */
	#before: ReadonlyMap<OpenCall, number> = new Map();
	#timer: Timer;

	/** `doubt`: is the client still there? One of its messages has stopped in the middle. */
	constructor(
		calls: OpenCalls<OpenCall>,
		clock: Clock,
		setting: UnreadRequestsSetting,
		refusals: Refusals,
		doubt: (peer: Peer) => void,
	) {
		this.#calls = calls;
		this.#clock = clock;
		this.#setting = setting;
		this.#refusals = refusals;
		this.#doubt = doubt;
		this.bytes = new UnreadBytes(
			setting.maxUnreadRequestBytes + SLACK_BYTES,
			() => this.#shed(),
		);
	}

	/** There are calls to look at. */
	watch(): void {
		if (this.#timer !== undefined) return;
		const { frameTimeoutMs } = this.#setting;
		this.#timer = this.#clock.afterIdle(frameTimeoutMs / LOOKS, () => {
			this.#timer = undefined;
			this.#look();
			if (this.#calls.size > 0) this.watch();
		});
	}

	#look(): void {
		const now = new Map<OpenCall, number>();
		for (const call of this.#calls) {
			const { arrival, lastArrival } = call;
			if (!arrival.call.isInMessage) continue;
			now.set(call, lastArrival);
			if (this.#before.get(call) === lastArrival) this.#doubt(arrival.peer);
		}
		this.#before = now;
	}

	/** Ends calls that hold much, those first that nothing has come for in the longest time: clients that go on sending go on. */
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
