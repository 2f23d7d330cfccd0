import { Code } from "@connectrpc/connect";
import type { PickInfo } from "../../balancer/balancer.ts";
import type { Timer } from "../../policy/clock.ts";
import type { CompiledMethodPolicy } from "../../policy/method-policy.ts";
import type {
	CallEnd,
	CallListener,
	ClientCall,
	ClientConnection,
} from "../../wire/connection.ts";
import { formatTimeout } from "../../wire/grpc-timeout.ts";
import { NO_HEADERS, type RawHeaders } from "../../wire/headers.ts";
import { appendMetadata, MAX_HEADER_BYTES } from "../../wire/metadata.ts";
import { requestBytes } from "../../wire/prepared-head.ts";
import type { ChannelCore } from "../channel/channel-core.ts";
import type { AdmittedPick } from "../endpoint/admitted-pick.ts";
import type { RoomQueue, WaitingForRoom } from "../endpoint/room-queue.ts";
import type { EndpointSubchannel } from "../endpoint/subchannel.ts";
import type { WaitingCalls } from "../endpoint/waiting-calls.ts";
import type { ChannelOptions } from "../options/channel-options.ts";
import type { CallInfo } from "../options/hooks.ts";
import {
	endOfUnanswered,
	endOfUnsent,
	headersTooLarge,
} from "./attempt-ends.ts";
import type { OutgoingRequest } from "./outgoing-request.ts";
import type { PreparedMethod } from "./prepared-method.ts";

type Credentials = NonNullable<ChannelOptions["credentials"]>;
type SubchannelPick = Extract<AdmittedPick, { kind: "subchannel" }>;

const NO_MESSAGES: readonly Uint8Array[] = [];

/** Received messages, where no policy says otherwise. */
const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;

/** How many attempts of the call have failed before this one (gRFC A6). */
const PREVIOUS_ATTEMPTS = "grpc-previous-rpc-attempts";

/** A call, as its attempts know it: what they need of it, and what they tell it. */
export interface AttemptedCall extends PickInfo {
	readonly core: ChannelCore;
	readonly prepared: PreparedMethod;
	readonly policy: CompiledMethodPolicy;
	/** On the channel's clock, in milliseconds; Infinity without a deadline. */
	readonly dueAt: number;
	/** The caller's metadata as it travels. */
	readonly metadata: RawHeaders;
	readonly info: CallInfo;
	/** The request so far: an attempt begins with it. */
	readonly request: OutgoingRequest;
	/** Reads the policy again: the service config may have changed while no attempt could be sent. */
	reconfigure(): void;

	/** The attempt has left; what is sent from now on goes to its `send`. */
	attemptSent(attempt: Attempt): void;
	attemptHeaders(attempt: Attempt, headers: RawHeaders): void;
	attemptMessage(attempt: Attempt, message: Uint8Array): void;
	/** An attempt has room for more messages. */
	attemptWritable(): void;
	/** The attempt has ended. Called once; nothing follows, unless the attempt is started again. */
	attemptEnded(attempt: Attempt, end: CallEnd): void;
	/** Instead of `attemptEnded`, where another attempt would fare no better. */
	attemptRefused(attempt: Attempt, end: CallEnd): void;
}

/** Which attempt of its call it is. */
export interface AttemptNumber {
	/** Counts all attempts, from 1. */
	readonly number: number;
	/** How many attempts before it the policy counts. */
	readonly previous: number;
	readonly hedge: boolean;
}

export const FIRST_ATTEMPT: AttemptNumber = {
	number: 1,
	previous: 0,
	hedge: false,
};

/** One attempt of a call: waits for a connection, and then is one stream on it. */
export class Attempt implements CallListener, WaitingForRoom {
	readonly which: AttemptNumber;
	readonly #call: AttemptedCall;
	#state: "picking" | "authorizing" | "sent" | "over" = "picking";
	#pick: SubchannelPick | undefined;
	/** Where it waits while it is "picking". */
	#queue: WaitingCalls | RoomQueue | undefined;
	/** The pick that it waits with, in the queue of an endpoint. */
	#wanted: SubchannelPick | undefined;
	#stream: ClientCall | undefined;
	#connection: ClientConnection | undefined;
	/** What its connection had heard when it was sent. */
	#heardBefore = 0;
	#sentAt = 0;
	#answered = false;
	#lastFailure: Error | undefined;
	#credentials: RawHeaders = NO_HEADERS;
	#withheld: Uint8Array[] | undefined;
	#turn: Timer;

	constructor(call: AttemptedCall, which: AttemptNumber) {
		this.#call = call;
		this.which = which;
	}

	/** Where it went; undefined until it is sent. */
	get subchannel(): EndpointSubchannel | undefined {
		return this.#pick?.subchannel as EndpointSubchannel | undefined;
	}

	/** What it was sent on. */
	get connection(): ClientConnection | undefined {
		return this.#connection;
	}

	/** Response messages that were not passed on, at most two: of a unary call, any number but one is wrong. */
	get withheld(): readonly Uint8Array[] {
		return this.#withheld ?? NO_MESSAGES;
	}

	/** Describes how far it has got, to follow "the deadline passed". */
	get progress(): string {
		switch (this.#state) {
			case "picking": {
				if (this.#wanted !== undefined) {
					const { name } = this.#wanted.subchannel as EndpointSubchannel;
					return `while waiting for a stream: ${name} has as many as it allows (MAX_CONCURRENT_STREAMS)`;
				}
				const { core } = this.#call;
				const last = core.failure ?? this.#lastFailure ?? core.lastError;
				return `while ${core.progress}${last ? `; last: ${last.message}` : ""}`;
			}
			case "authorizing":
				return "while waiting for credentials";
			default:
				return this.#answered
					? `after response headers from ${this.#address} had arrived`
					: `while waiting for an answer from ${this.#address}`;
		}
	}

	start(): void {
		const { credentials } = this.#call.core.setting;
		if (credentials === undefined) this.#askForConnection();
		else void this.#authorize(credentials);
	}

	/**
	 * Starts it again after it did not arrive. It asks for a connection in a later turn of the event loop, so that a dying
	 * connection does not keep the loop busy; other connections that are ending too have said so by then.
	 */
	startAgain(): void {
		this.#state = "picking";
		this.#pick = undefined;
		this.#stream = undefined;
		this.#answered = false;
		this.#withheld = undefined;
		this.#turn = this.#call.core.setting.clock.after(0, () => this.pickAgain());
	}

	/** Keeps a response message until the call is committed to an attempt. */
	withhold(message: Uint8Array): void {
		if (this.#withheld === undefined) this.#withheld = [message];
		else if (this.#withheld.length < 2) this.#withheld.push(message);
	}

	pickAgain(): void {
		this.#leaveQueue();
		this.#call.reconfigure();
		if (this.#state === "picking") this.#askForConnection();
	}

	takeRoom(): void {
		const wanted = this.#wanted as SubchannelPick;
		this.#leaveQueue();
		this.#call.reconfigure();
		if (this.#state !== "picking") return;
		this.#follow(this.#call.core.admit(this.#call, wanted));
	}

	/** Sends a message, once the attempt is sent. Returns false when the caller should wait for `attemptWritable`. */
	send(message: Uint8Array, compressed: boolean): boolean {
		return this.#stream?.send(message, compressed) ?? false;
	}

	/** Ends the request, once the attempt is sent. */
	closeSend(): void {
		this.#stream?.end();
	}

	hold(): void {
		this.#stream?.hold();
	}

	release(): void {
		this.#stream?.release();
	}

	/** Ends the attempt; the call hears nothing more of it. */
	cancel(code: Code): void {
		if (this.#state === "over") return;
		if (code === Code.DeadlineExceeded) this.#doubt();
		this.#leaveQueue();
		if (this.#turn !== undefined) {
			this.#call.core.setting.clock.cancel(this.#turn);
		}
		this.#stream?.cancel();
		this.#over(code);
	}

	/** The end of an attempt that is given up because its server does not answer. */
	unanswered(): CallEnd {
		return endOfUnanswered(this.#address);
	}

	// What the wire tells.

	headers(headers: RawHeaders): void {
		this.#answered = true;
		this.#call.attemptHeaders(this, headers);
	}

	message(message: Uint8Array): void {
		this.#call.attemptMessage(this, message);
	}

	writable(): void {
		this.#call.attemptWritable();
	}

	end(end: CallEnd): void {
		const { core, dueAt } = this.#call;
		// The server has kept the deadline, and has reset the stream (or, if it is tonic's, said CANCELLED). The timer on
		// this side is late, and about to end the call.
		if (end.code === Code.Canceled && dueAt <= core.setting.clock.now()) return;
		this.#over(
			end.code === 0 ? undefined : end.code,
			end.progress !== "miscarried",
		);
		// The server's own words stay as they are.
		this.#call.attemptEnded(
			this,
			end.local ? { ...end, message: `${this.#address}: ${end.message}` } : end,
		);
	}

	get #isOver(): boolean {
		return this.#state === "over";
	}

	get #address(): string {
		return this.subchannel?.name ?? "";
	}

	async #authorize(credentials: Credentials): Promise<void> {
		this.#state = "authorizing";
		const encoded: string[] = [];
		try {
			const given = new Headers(await credentials(this.#call.info));
			// The call's own metadata goes before that of its credentials.
			for (const name of this.#call.header.keys()) given.delete(name);
			appendMetadata(encoded, given, undefined);
		} catch (error) {
			if (this.#state !== "authorizing") return;
			this.#refuse(Code.Unauthenticated, "no credentials for the call", error);
			return;
		}
		if (this.#state !== "authorizing") return;
		this.#credentials = encoded;
		this.#state = "picking";
		this.#askForConnection();
	}

	#askForConnection(): void {
		this.#follow(this.#call.core.pick(this.#call));
	}

	#follow(pick: AdmittedPick): void {
		if (pick.kind === "subchannel") {
			const { connection } = pick.subchannel as EndpointSubchannel;
			if (connection !== undefined) this.#send(pick, connection);
			else this.#waitWith(pick);
		} else if (pick.kind === "wait") {
			this.#waitForPicker();
		} else if (pick.kind === "drop") {
			this.#refuse(Code.Unavailable, "", pick.error);
		} else if (this.#call.policy.waitForReady) {
			this.#lastFailure = pick.error;
			this.#waitForPicker();
		} else {
			this.#state = "over";
			this.#call.attemptEnded(
				this,
				endOfUnsent(Code.Unavailable, this.#unreached(), pick.error),
			);
		}
	}

	/** Waits for room; or for the next picker, which is on its way, if the connection was lost since this one was made. */
	#waitWith(pick: SubchannelPick): void {
		const subchannel = pick.subchannel as EndpointSubchannel;
		if (pick.unused === undefined && subchannel.state === "ready") {
			this.#wanted = pick;
			this.#queue = subchannel.queue;
			subchannel.queue.add(this);
		} else {
			pick.unused?.();
			this.#waitForPicker();
		}
	}

	#waitForPicker(): void {
		const { waiting } = this.#call.core;
		this.#queue = waiting;
		waiting.add(this);
	}

	#leaveQueue(): void {
		this.#queue?.delete(this);
		this.#queue = undefined;
		this.#wanted = undefined;
	}

	#send(pick: SubchannelPick, connection: ClientConnection): void {
		const call = this.#call;
		const { core, dueAt } = call;
		const now = core.setting.clock.now();
		// The deadline's timer is late, and about to end the call.
		if (dueAt <= now) {
			pick.unused?.();
			return;
		}
		const { head } = call.prepared;
		const timeout = dueAt === Infinity ? undefined : formatTimeout(dueAt - now);
		let metadata: RawHeaders;
		try {
			metadata = this.#metadata();
			const bytes = requestBytes(head, timeout, metadata);
			if (bytes > Math.min(connection.maxHeaderBytes, MAX_HEADER_BYTES)) {
				const { name } = pick.subchannel as EndpointSubchannel;
				throw headersTooLarge(bytes, connection.maxHeaderBytes, name);
			}
		} catch (error) {
			pick.unused?.();
			this.#refuse(Code.Internal, "the call cannot be sent", error);
			return;
		}
		this.#sentAt = now;
		this.#pick = pick;
		this.#connection = connection;
		this.#heardBefore = connection.heard;
		this.#state = "sent";
		pick.started?.();
		const { attemptStart } = core.setting.hooks;
		if (attemptStart !== undefined) {
			const { number, hedge } = this.which;
			const { endpoint } = pick.subchannel;
			attemptStart(call.info, { number, endpoint, hedge });
			// The hook may have cancelled the call.
			if (this.#isOver) return;
		}
		const { buffer } = call.request;
		const { only } = buffer;
		this.#stream = connection.start(
			{
				head,
				timeout,
				metadata,
				maxMessageBytes:
					call.policy.maxResponseMessageBytes ?? MAX_MESSAGE_BYTES,
				inflations: core.gzip.inflations,
				purpose: "call",
				request: only,
				isRequestCompressed: only !== undefined && buffer.isCompressed(only),
			},
			this,
		);
		if (only === undefined) this.#sendRequest(this.#stream);
		else call.attemptSent(this);
	}

	/** Sends the request so far, of a call that may have any number of messages. */
	#sendRequest(stream: ClientCall): void {
		const { buffer } = this.#call.request;
		const { messages, closed } = buffer;
		let room = true;
		for (const message of messages) {
			room = stream.send(message, buffer.isCompressed(message));
		}
		if (closed) stream.end();
		this.#call.attemptSent(this);
		if (!closed && room) this.#call.attemptWritable();
	}

	/** Nothing has come from the server since the attempt was sent: asks whether it is still there. */
	#doubt(): void {
		const connection = this.#connection;
		if (this.#stream === undefined || connection === undefined) return;
		if (connection.heard === this.#heardBefore) {
			this.subchannel?.doubt(connection);
		}
	}

	/** The metadata of the caller and of the credentials, and which attempt this is. */
	#metadata(): RawHeaders {
		const { metadata } = this.#call;
		const { previous } = this.which;
		const own =
			previous === 0
				? metadata
				: [
						PREVIOUS_ATTEMPTS,
						String(previous),
						...without(PREVIOUS_ATTEMPTS, metadata),
					];
		return this.#credentials.length === 0 ? own : own.concat(this.#credentials);
	}

	/** Ends the call before anything was sent. */
	#refuse(code: Code, what: string, cause: unknown): void {
		this.#state = "over";
		this.#call.attemptRefused(this, endOfUnsent(code, what, cause));
	}

	#unreached(): string {
		const { name } = this.#call.core.setting;
		const { addresses } = this.#call.core;
		return addresses === "" || addresses === name
			? `no connection to ${name}`
			: `no connection to ${name} (tried ${addresses})`;
	}

	#over(code: Code | undefined, sent = true): void {
		this.#state = "over";
		const pick = this.#pick;
		if (pick === undefined) return;
		const { setting, subchannels } = this.#call.core;
		const { clock, hooks } = setting;
		const subchannel = pick.subchannel as EndpointSubchannel;
		const latencyMs = clock.now() - this.#sentAt;
		hooks.attemptEnd?.(this.#call.info, {
			number: this.which.number,
			endpoint: subchannel.endpoint,
			code,
			latencyMs,
		});
		// What follows from it for the endpoint is told after the hook.
		pick.ended?.({ code, latencyMs, sent });
		if (sent) subchannels.attemptEnded(subchannel, code);
	}
}

function without(name: string, headers: RawHeaders): RawHeaders {
	return headers.filter((_, i) => headers[i - (i % 2)] !== name);
}
