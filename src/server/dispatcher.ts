import type { DescMethod } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { shown } from "../checks/option-error.ts";
import type { Clock } from "../policy/clock.ts";
import { codeName } from "../policy/code.ts";
import { printError } from "../policy/print-error.ts";
import type { ServerCall } from "../wire/connection.ts";
import { isGrpc } from "../wire/content-type.ts";
import { parseTimeout } from "../wire/grpc-timeout.ts";
import { ACCEPT_ENCODING } from "../wire/gzip.ts";
import { GzipTurns } from "../wire/gzip-turns.ts";
import type { RawHeaders } from "../wire/headers.ts";
import { headerBytes } from "../wire/metadata.ts";
import { type CallHost, IncomingCall } from "./call/incoming-call.ts";
import type { Peer } from "./call/peer.ts";
import {
	acceptsGzip,
	type RequestHead,
	readHead,
} from "./call/request-head.ts";
import { refuseCall, refuseRequest } from "./call/response.ts";
import type { UnreadBytes } from "./call/unread-bytes.ts";
import type { Refusals } from "./limits/refusals.ts";
import { UnreadRequests } from "./limits/unread-requests.ts";
import { debugLog, inLine } from "./options/debug-log.ts";
import { tellHook } from "./options/error-hook.ts";
import type { ServerSettings } from "./options/server-options.ts";
import type { Routes } from "./routes.ts";

/** How many calls there were. */
export interface CallCounts {
	/** Handed to a handler, or about to be: without those refused by their headers. */
	readonly started: number;
	readonly succeeded: number;
	readonly failed: number;
	readonly inFlight: number;
}

/** Makes calls of streams, and keeps them until they end. */
export class Dispatcher implements CallHost {
	readonly clock: Clock;
	readonly #settings: ServerSettings;
	readonly #routes: Routes;
	readonly gzip: GzipTurns;
	readonly #unread: UnreadRequests;
	readonly #refusals: Refusals;
	readonly #calls: Set<IncomingCall> = new Set();
	#succeeded = 0;
	#failed = 0;
	/** Why no call is taken any more. */
	#closed: ConnectError | undefined;

	/** `doubt`: is the client still there? */
	constructor(
		clock: Clock,
		settings: ServerSettings,
		routes: Routes,
		refusals: Refusals,
		doubt: (peer: Peer) => void,
	) {
		this.clock = clock;
		this.#refusals = refusals;
		this.#settings = settings;
		this.#routes = routes;
		this.gzip = new GzipTurns(settings.gzipLimits);
		this.#unread = new UnreadRequests(
			this.#calls,
			clock,
			settings,
			refusals,
			doubt,
		);
	}

	get unread(): UnreadBytes {
		return this.#unread.bytes;
	}

	get writeMaxBytes(): number {
		return this.#settings.writeMaxBytes;
	}

	/** Of requests that no handler has read. */
	get unreadRequestBytes(): number {
		return this.#unread.bytes.bytes;
	}

	get counts(): CallCounts {
		return {
			started: this.#succeeded + this.#failed + this.#calls.size,
			succeeded: this.#succeeded,
			failed: this.#failed,
			inFlight: this.#calls.size,
		};
	}

	/** Takes a request: answers it, or makes it a call. */
	dispatch(call: ServerCall, headers: RawHeaders, peer: Peer): void {
		const head = readHead(headers);
		const { contentType, encoding, timeout } = head;
		if (head.method !== "POST") {
			debugLog(
				"server: %s of %s is refused: HTTP method %s",
				head.path,
				peer.address,
				head.method,
			);
			refuseRequest(call, 405);
			return;
		}
		if (contentType === undefined || !isGrpc(contentType)) {
			debugLog(
				"server: %s of %s is refused: content-type %s",
				head.path,
				peer.address,
				contentType,
			);
			refuseRequest(call, 415);
			return;
		}
		const { maxMetadataBytes } = this.#settings;
		const bytes = headerBytes(headers);
		if (bytes > maxMetadataBytes) {
			const error = largeMetadata(bytes, maxMetadataBytes);
			this.#refusals.tell("maxMetadataBytes", error.rawMessage, peer);
			this.#refuse(call, head, peer, error);
			return;
		}
		if (this.#closed !== undefined) {
			this.#refuse(call, head, peer, this.#closed);
			return;
		}
		const served = this.#routes.find(head.path);
		if (served === undefined) {
			this.#refuse(call, head, peer, this.#routes.whyNot(head.path));
			return;
		}
		if (
			encoding !== undefined &&
			encoding !== "gzip" &&
			encoding !== "identity"
		) {
			this.#refuse(call, head, peer, unknownEncoding(encoding), [
				"grpc-accept-encoding",
				ACCEPT_ENCODING,
			]);
			return;
		}
		const timeoutMs = timeout === undefined ? undefined : parseTimeout(timeout);
		if (timeout !== undefined && timeoutMs === undefined) {
			this.#refuse(call, head, peer, malformedTimeout(timeout));
			return;
		}
		const { compression, readMaxBytes } = this.#settings;
		new IncomingCall(this, served, {
			call,
			headers,
			head,
			encoding,
			maxMessageBytes: readMaxBytes,
			inflations: this.gzip.inflations,
			contentType,
			compression:
				compression !== undefined && acceptsGzip(head)
					? compression
					: undefined,
			deflations: this.gzip.deflations,
			timeoutMs,
			peer,
		});
	}

	#refuse(
		call: ServerCall,
		{ path, contentType }: RequestHead,
		peer: Peer,
		error: ConnectError,
		further?: RawHeaders,
	): void {
		debugLog(
			"server: %s of %s is refused: %s",
			path,
			peer.address,
			error.message,
		);
		refuseCall(call, contentType as string, error, further);
	}

	/** Cancels the calls that are left, and takes no others. */
	close(reason: ConnectError): void {
		this.#closed = reason;
		for (const call of this.#calls) call.cancel(reason);
	}

	started(call: IncomingCall): void {
		this.#calls.add(call);
		this.#unread.watch();
	}

	ended(call: IncomingCall, code: Code | undefined): void {
		this.#calls.delete(call);
		if (code === undefined) this.#succeeded++;
		else this.#failed++;
		if (!debugLog.enabled) return;
		const outcome = code === undefined ? "ok" : codeName(code);
		debugLog(
			"server: %s of %s ended [%s]",
			call.head.path,
			call.peer.address,
			outcome,
		);
	}

	report(error: unknown, method: DescMethod): void {
		const { onError } = this.#settings;
		const service = method.parent.typeName;
		if (debugLog.enabled) {
			debugLog("server: %s/%s failed: %s", service, method.name, inLine(error));
		}
		if (onError === undefined) {
			printError(`${service}/${method.name} failed:`, error);
		} else {
			tellHook(onError, error, { service, method: method.name });
		}
	}
}

function largeMetadata(bytes: number, limit: number): ConnectError {
	return new ConnectError(
		`the request's headers take ${bytes} bytes, and the server takes ${limit} (maxMetadataBytes): send less metadata`,
		Code.ResourceExhausted,
	);
}

function unknownEncoding(encoding: string): ConnectError {
	return new ConnectError(
		`grpc-encoding ${shown(encoding)} is not known here; use gzip or identity`,
		Code.Unimplemented,
	);
}

function malformedTimeout(timeout: string): ConnectError {
	return new ConnectError(
		`grpc-timeout ${shown(timeout)} is malformed`,
		Code.Internal,
	);
}
