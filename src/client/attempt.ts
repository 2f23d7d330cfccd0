import { Code, ConnectError } from "@connectrpc/connect";
import type { Pick, Subchannel } from "../balancer/balancer.ts";
import {
	type CallEnd,
	type CallListener,
	ClientCall,
} from "../wire/client-call.ts";
import type { ClientConnection, RawHeaders } from "../wire/connection.ts";
import { formatTimeout } from "../wire/grpc-timeout.ts";
import {
	appendMetadata,
	headerBytes,
	MAX_HEADER_BYTES,
} from "../wire/metadata.ts";
import type { AttemptedCall, Attempts } from "./attempts.ts";
import type { Waiting } from "./channel-core.ts";
import type { ChannelOptions } from "./channel-options.ts";
import type { EndpointSubchannel } from "./subchannel.ts";

type Credentials = NonNullable<ChannelOptions["credentials"]>;
type SubchannelPick = Extract<Pick, { kind: "subchannel" }>;

const NO_HEADERS: RawHeaders = [];
const NONE_TRIED: ReadonlySet<Subchannel> = new Set();

/** One attempt of a call: waits for a connection, and is then one stream on it. */
export class Attempt implements Attempts, CallListener, Waiting {
	readonly #call: AttemptedCall;
	readonly #listener: CallListener;
	#state: "picking" | "authorizing" | "sent" | "over" = "picking";
	/** Written before there was a stream. */
	#early: Uint8Array[] = [];
	#sendClosed = false;
	#held = false;
	#pick: SubchannelPick | undefined;
	#stream: ClientCall | undefined;
	#sentAt = 0;
	#answered = false;
	#lastFailure: Error | undefined;
	#credentials: RawHeaders = NO_HEADERS;

	constructor(call: AttemptedCall, listener: CallListener) {
		this.#call = call;
		this.#listener = listener;
	}

	get count(): number {
		return this.#stream === undefined ? 0 : 1;
	}

	get tried(): ReadonlySet<Subchannel> {
		return this.#pick === undefined
			? NONE_TRIED
			: new Set([this.#pick.subchannel]);
	}

	get progress(): string {
		const { core } = this.#call;
		switch (this.#state) {
			case "picking": {
				const last = this.#lastFailure ?? core.lastError;
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

	pickAgain(): void {
		this.#call.core.stopWaiting(this);
		this.#call.reconfigure();
		if (this.#state === "picking") this.#askForConnection();
	}

	write(frame: Uint8Array): boolean {
		if (this.#stream !== undefined) return this.#stream.write(frame);
		this.#early.push(frame);
		return false;
	}

	closeSend(frame?: Uint8Array): void {
		if (this.#stream !== undefined) {
			this.#stream.closeSend(frame);
			return;
		}
		if (frame !== undefined) this.#early.push(frame);
		this.#sendClosed = true;
	}

	hold(): void {
		this.#held = true;
		this.#stream?.hold();
	}

	release(): void {
		this.#held = false;
		this.#stream?.release();
	}

	cancel(code: Code): void {
		if (this.#state === "over") return;
		this.#call.core.stopWaiting(this);
		this.#stream?.cancel();
		this.#over(code);
	}

	headers(headers: RawHeaders): void {
		this.#answered = true;
		this.#listener.headers(headers);
	}

	message(message: Uint8Array): void {
		this.#listener.message(message);
	}

	writable(): void {
		this.#listener.writable();
	}

	end(end: CallEnd): void {
		this.#over(end.code === 0 ? undefined : end.code);
		// The server's own words stay as they are.
		this.#listener.end(
			end.local ? { ...end, message: `${this.#address}: ${end.message}` } : end,
		);
	}

	get #address(): string {
		const subchannel = this.#pick?.subchannel as EndpointSubchannel | undefined;
		return subchannel?.name ?? "";
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
			this.#refuse(Code.Unauthenticated, "no credentials for the call", error);
			return;
		}
		if (this.#state !== "authorizing") return;
		this.#credentials = encoded;
		this.#state = "picking";
		this.#askForConnection();
	}

	#askForConnection(): void {
		const { core, policy } = this.#call;
		const pick = core.pick(this.#call);
		if (pick.kind === "subchannel") {
			const { connection } = pick.subchannel as EndpointSubchannel;
			if (connection !== undefined) this.#send(pick, connection);
			// Lost since the picker was made: the next picker is on its way.
			else core.wait(this);
		} else if (pick.kind === "wait") {
			core.wait(this);
		} else if (pick.kind === "fail" && policy.waitForReady) {
			this.#lastFailure = pick.error;
			core.wait(this);
		} else {
			this.#refuse(Code.Unavailable, this.#unreached(), pick.error);
		}
	}

	#send(pick: SubchannelPick, connection: ClientConnection): void {
		const { core, deadline, maxResponseBytes } = this.#call;
		const now = core.setting.clock.now();
		// The deadline's timer is late, and about to end the call.
		if (deadline !== undefined && deadline <= now) return;
		this.#sentAt = now;
		const headers = this.#requestHeaders();
		if (headerBytes(headers) > MAX_HEADER_BYTES) {
			this.#refuse(
				Code.ResourceExhausted,
				"the call cannot be sent",
				new Error(
					`its headers take ${headerBytes(headers)} bytes, and the limit is ${MAX_HEADER_BYTES}: send less metadata`,
				),
			);
			return;
		}
		this.#pick = pick;
		this.#state = "sent";
		core.setting.hooks.attemptStart?.(this.#call.info, {
			number: 1,
			endpoint: pick.subchannel.endpoint,
			hedge: false,
		});
		pick.started?.();
		const stream = new ClientCall(connection, headers, maxResponseBytes, this);
		this.#stream = stream;
		if (this.#held) stream.hold();
		this.#sendEarly(stream);
	}

	#sendEarly(stream: ClientCall): void {
		const frames = this.#early;
		this.#early = [];
		const last = this.#sendClosed ? frames.pop() : undefined;
		let room = true;
		for (const frame of frames) room = stream.write(frame);
		if (this.#sendClosed) stream.closeSend(last);
		else if (room) this.#listener.writable();
	}

	#requestHeaders(): RawHeaders {
		const call = this.#call;
		const headers = call.core.requestHeaders(call.method);
		if (call.deadline !== undefined) {
			headers.push("grpc-timeout", formatTimeout(call.deadline - this.#sentAt));
		}
		headers.push(...call.metadata);
		if (this.#credentials.length > 0) headers.push(...this.#credentials);
		return headers;
	}

	/** Ends the call before anything was sent. */
	#refuse(code: Code, what: string, cause: unknown): void {
		const error = ConnectError.from(cause, code);
		this.#over(error.code);
		this.#listener.end({
			code: error.code,
			message: `${what}: ${error.rawMessage}`,
			headers: NO_HEADERS,
			trailers: NO_HEADERS,
			local: true,
			progress: "miscarried",
			cause: error.cause instanceof Error ? error.cause : error,
		});
	}

	#unreached(): string {
		const { name } = this.#call.core.setting;
		const { addresses } = this.#call.core;
		return addresses === "" || addresses === name
			? `no connection to ${name}`
			: `no connection to ${name} (tried ${addresses})`;
	}

	#over(code: Code | undefined): void {
		this.#state = "over";
		const pick = this.#pick;
		if (pick === undefined) return;
		const { clock, hooks } = this.#call.core.setting;
		if (pick.ended === undefined && hooks.attemptEnd === undefined) return;
		const latencyMs = clock.now() - this.#sentAt;
		pick.ended?.({ code, latencyMs, sent: true });
		hooks.attemptEnd?.(this.#call.info, {
			number: 1,
			endpoint: pick.subchannel.endpoint,
			code,
			latencyMs,
		});
	}
}
