import { Code, ConnectError } from "@connectrpc/connect";
import type { Timer } from "../../policy/clock.ts";
import { showable } from "../../policy/showable.ts";
import type {
	CallEnd,
	CallListener,
	ClientCall,
	ClientConnection,
} from "../../wire/connection.ts";
import { formatTimeout } from "../../wire/grpc-timeout.ts";
import type { RawHeaders } from "../../wire/headers.ts";
import { appendMetadata, MAX_HEADER_BYTES } from "../../wire/metadata.ts";
import { requestBytes } from "../../wire/prepared-head.ts";
import type { RequestBuffer } from "../channel/request-buffer.ts";
import type { AdmittedPick } from "../endpoint/admitted-pick.ts";
import type { RoomQueue, WaitingForRoom } from "../endpoint/room-queue.ts";
import type { EndpointSubchannel } from "../endpoint/subchannel.ts";
import type { WaitingCalls } from "../endpoint/waiting-calls.ts";
import type { ChannelOptions } from "../options/channel-options.ts";
import type { AttemptedCall } from "./attempted-call.ts";

type Credentials = NonNullable<ChannelOptions["credentials"]>;
type SubchannelPick = Extract<AdmittedPick, { kind: "subchannel" }>;

const NO_HEADERS: RawHeaders = [];
const NO_MESSAGES: readonly Uint8Array[] = [];

/** How many attempts of the call have failed before this one (gRFC A6). */
const PREVIOUS_ATTEMPTS = "grpc-previous-rpc-attempts";

/** Who makes an attempt, and hears what becomes of it. */
export interface AttemptOwner {
	/** The request so far: an attempt begins with it. */
	readonly request: RequestBuffer;
	/** It has left; what is written from now on goes to its `write`. */
	sent(attempt: Attempt): void;
	headers(attempt: Attempt, headers: RawHeaders): void;
	message(attempt: Attempt, message: Uint8Array): void;
	writable(): void;
	/** Last and once, unless it is then started again. */
	ended(attempt: Attempt, end: CallEnd): void;
	/** Instead of `ended`, when another attempt would fare no better. */
	refused(attempt: Attempt, end: CallEnd): void;
}

/** Which attempt of its call it is. */
export interface AttemptNumber {
	/** From 1 on. */
	readonly number: number;
	/** Those that the policy counts before it. */
	readonly previous: number;
	readonly hedge: boolean;
}

/** One attempt of a call: waits for a connection, and is then one stream on it. */
export class Attempt implements CallListener, WaitingForRoom {
	readonly #call: AttemptedCall;
	readonly #owner: AttemptOwner;
	readonly #which: AttemptNumber;
	#state: "picking" | "authorizing" | "sent" | "over" = "picking";
	#pick: SubchannelPick | undefined;
	/** Where it waits while it is "picking", and in the queue of an endpoint, for which stream. */
	#queue: WaitingCalls | RoomQueue | undefined;
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

	constructor(call: AttemptedCall, owner: AttemptOwner, which: AttemptNumber) {
		this.#call = call;
		this.#owner = owner;
		this.#which = which;
	}

	/** Where it went; undefined until it is sent. */
	get subchannel(): EndpointSubchannel | undefined {
		return this.#pick?.subchannel as EndpointSubchannel | undefined;
	}

	get which(): AttemptNumber {
		return this.#which;
	}

	/** Response messages that were not passed on, at most two: of a unary call, any number but one is wrong. */
	get withheld(): readonly Uint8Array[] {
		return this.#withheld ?? NO_MESSAGES;
	}

	/** What it was sent on. */
	get connection(): ClientConnection | undefined {
		return this.#connection;
	}

	/** How it ends, should it be given up because its server does not answer. */
	unanswered(): CallEnd {
		return {
			...endOf(
				Code.Unavailable,
				this.#address,
				new Error("it does not answer: it is stopped, or cut off"),
			),
			progress: "processed",
		};
	}

	/** How far it has got, to follow "the deadline passed". */
	get progress(): string {
		const { core } = this.#call;
		switch (this.#state) {
			case "picking": {
				if (this.#wanted !== undefined) {
					const { name } = this.#wanted.subchannel as EndpointSubchannel;
					return `while waiting for a stream: ${name} has as many as it allows (MAX_CONCURRENT_STREAMS)`;
				}
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
	 * It did not arrive, and asks again in a later turn of the event loop, lest a dying connection keep it busy: other
	 * connections may be ending too, and have said so by then.
	 */
	startAgain(): void {
		this.#state = "picking";
		this.#pick = undefined;
		this.#stream = undefined;
		this.#answered = false;
		this.#withheld = undefined;
		this.#turn = this.#call.core.setting.clock.after(0, () => this.pickAgain());
	}

	withhold(message: Uint8Array): void {
		this.#withheld ??= [];
		if (this.#withheld.length < 2) this.#withheld.push(message);
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

	/** Only once it is sent. false: wait for `writable`. */
	write(message: Uint8Array, compressed: boolean): boolean {
		return this.#stream?.send(message, compressed) ?? false;
	}

	/** Only once it is sent. */
	closeSend(): void {
		this.#stream?.end();
	}

	hold(): void {
		this.#stream?.hold();
	}

	release(): void {
		this.#stream?.release();
	}

	/** Nothing more is heard of it. */
	cancel(code: Code): void {
		if (this.#state === "over") return;
		if (code === Code.DeadlineExceeded) this.#doubt();
		this.#leaveQueue();
		this.#call.core.setting.clock.cancel(this.#turn);
		this.#stream?.cancel();
		this.#over(code);
	}

	headers(headers: RawHeaders): void {
		this.#answered = true;
		this.#owner.headers(this, headers);
	}

	message(message: Uint8Array): void {
		this.#owner.message(this, message);
	}

	writable(): void {
		this.#owner.writable();
	}

	end(end: CallEnd): void {
		const { core, deadline } = this.#call;
		// The server has kept the deadline, and reset the stream (or, if it is tonic's, said CANCELLED); here its timer is
		// late, and about to end the call.
		if (
			end.code === Code.Canceled &&
			deadline !== undefined &&
			deadline <= core.setting.clock.now()
		) {
			return;
		}
		this.#over(
			end.code === 0 ? undefined : end.code,
			end.progress !== "miscarried",
		);
		// The server's own words stay as they are.
		this.#owner.ended(
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
			// What the call itself says is nearer.
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
			this.#owner.ended(
				this,
				endOf(Code.Unavailable, this.#unreached(), pick.error),
			);
		}
	}

	/** For room, or, where the connection was lost since the picker was made, for the next picker: it is on its way. */
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
		const { core, deadline, maxResponseBytes } = this.#call;
		const now = core.setting.clock.now();
		// The deadline's timer is late, and about to end the call.
		if (deadline !== undefined && deadline <= now) {
			pick.unused?.();
			return;
		}
		this.#sentAt = now;
		const head = core.headOf(this.#call.method);
		const timeout =
			deadline === undefined ? undefined : formatTimeout(deadline - now);
		let metadata: RawHeaders;
		try {
			metadata = this.#metadata();
			refuseLarge(
				requestBytes(head, timeout, metadata),
				connection,
				pick.subchannel as EndpointSubchannel,
			);
		} catch (error) {
			pick.unused?.();
			this.#refuse(Code.Internal, "the call cannot be sent", error);
			return;
		}
		this.#pick = pick;
		this.#connection = connection;
		this.#heardBefore = connection.heard;
		this.#state = "sent";
		const { number, hedge } = this.#which;
		pick.started?.();
		core.setting.hooks.attemptStart?.(this.#call.info, {
			number,
			endpoint: pick.subchannel.endpoint,
			hedge,
		});
		// The hook may have cancelled the call.
		if (this.#isOver) return;
		const { request } = this.#owner;
		const only =
			request.closed && request.messages.length === 1
				? (request.messages[0] as Uint8Array)
				: undefined;
		this.#stream = connection.start(
			{
				head,
				timeout,
				metadata,
				maxMessageBytes: maxResponseBytes,
				inflations: core.gzip.inflations,
				purpose: "call",
				request: only,
				isRequestCompressed: only !== undefined && request.isCompressed(only),
			},
			this,
		);
		if (only === undefined) this.#sendRequest(this.#stream, request);
		else this.#owner.sent(this);
	}

	/** Of any number of messages. */
	#sendRequest(stream: ClientCall, request: RequestBuffer): void {
		const { messages, closed } = request;
		let room = true;
		for (const message of messages) {
			room = stream.send(message, request.isCompressed(message));
		}
		if (closed) stream.end();
		this.#owner.sent(this);
		if (!closed && room) this.#owner.writable();
	}

	/** Nothing has come from the server since the attempt was sent: is it still there? */
	#doubt(): void {
		const connection = this.#connection;
		if (this.#stream === undefined || connection === undefined) return;
		if (connection.heard === this.#heardBefore) {
			this.subchannel?.doubt(connection);
		}
	}

	/** What the caller and the credentials say, and which attempt this is. */
	#metadata(): RawHeaders {
		const { metadata } = this.#call;
		const { previous } = this.#which;
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
		this.#owner.refused(this, endOf(code, what, cause));
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
			number: this.#which.number,
			endpoint: subchannel.endpoint,
			code,
			latencyMs,
		});
		// What follows from it for the endpoint is told after it.
		pick.ended?.({ code, latencyMs, sent });
		if (sent) subchannels.attemptEnded(subchannel, code);
	}
}

/** @throws ConnectError RESOURCE_EXHAUSTED for more than the server takes; Node would reset the stream, or close the connection */
function refuseLarge(
	bytes: number,
	{ maxHeaderBytes }: ClientConnection,
	subchannel: EndpointSubchannel,
): void {
	if (bytes <= maxHeaderBytes && bytes <= MAX_HEADER_BYTES) return;
	const limit =
		bytes > MAX_HEADER_BYTES
			? `the limit is ${MAX_HEADER_BYTES}`
			: `${subchannel.name} takes ${maxHeaderBytes}`;
	throw new ConnectError(
		`its headers take ${bytes} bytes, and ${limit}: send less metadata`,
		Code.ResourceExhausted,
	);
}

/** The end of an attempt that was not sent. */
function endOf(code: Code, what: string, cause: unknown): CallEnd {
	const error = ConnectError.from(showable(cause), code);
	return {
		code: error.code,
		message: what === "" ? error.rawMessage : `${what}: ${error.rawMessage}`,
		headers: NO_HEADERS,
		trailers: NO_HEADERS,
		local: true,
		progress: "miscarried",
		cause: error.cause instanceof Error ? error.cause : error,
	};
}

function without(name: string, headers: RawHeaders): RawHeaders {
	return headers.filter((_, i) => headers[i - (i % 2)] !== name);
}
