import type { Socket } from "node:net";
import { formatDuration } from "../../checks/duration.ts";
import type { Clock, Timer } from "../../policy/clock.ts";
import type { Peer } from "../call/peer.ts";
import type { Refusals } from "../limits/refusals.ts";
import { peerOfSocket } from "./peer-of-socket.ts";

export interface HandshakeSetting {
	readonly clock: Clock;
	readonly handshakeTimeoutMs: number;
	readonly refusals: Refusals;
}

/** Limits the time that a client takes before its first call, from the accepted socket on, and reports why it did not get there. */
export class Handshake {
	/** The accepted socket. */
	readonly socket: Socket;
	readonly #peer: Peer;
	readonly #setting: HandshakeSetting;
	readonly #timer: Timer;
	#step = "";
	#over = false;

	constructor(socket: Socket, setting: HandshakeSetting) {
		const { clock, handshakeTimeoutMs } = setting;
		this.socket = socket;
		this.#peer = peerOfSocket(socket);
		this.#setting = setting;
		this.#timer = clock.afterIdle(handshakeTimeoutMs, () => {
			this.#refuse(
				"handshakeTimeout",
				`${formatDuration(handshakeTimeoutMs)} were not enough for ${this.#step}`,
			);
		});
		socket.once("close", () => clock.cancel(this.#timer));
	}

	/** What the handshake waits for; it goes into messages. */
	set step(step: string) {
		this.#step = step;
	}

	/** The client speaks HTTP/2: the handshake is over. */
	succeeded(): void {
		this.#end();
	}

	/** Closes the socket. A client that has sent nothing, such as a port scanner or a probe, is not reported. */
	failed(why: string): void {
		if (this.socket.bytesRead === 0) this.socket.destroy();
		else this.#refuse("handshake", why);
	}

	#refuse(what: "handshake" | "handshakeTimeout", why: string): void {
		if (this.#over) return;
		this.#end();
		this.socket.destroy();
		this.#setting.refusals.tell(what, why, this.#peer);
	}

	#end(): void {
		this.#over = true;
		this.#setting.clock.cancel(this.#timer);
	}
}
