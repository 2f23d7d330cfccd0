import type { DescMethod } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { shown } from "../checks/option-error.ts";
import type { Clock } from "../policy/clock.ts";
import { codeName } from "../policy/code.ts";
import { Deadlines } from "../policy/deadlines.ts";
import { printError } from "../policy/print-error.ts";
import type { RequestTerms, ServerCall } from "../wire/connection.ts";
import { isGrpc } from "../wire/content-type.ts";
import { parseTimeout } from "../wire/grpc-timeout.ts";
import { ACCEPT_ENCODING } from "../wire/gzip/gzip.ts";
import { GzipTurns } from "../wire/gzip/gzip-turns.ts";
import type { RawHeaders } from "../wire/headers.ts";
import { headerBytes } from "../wire/metadata.ts";
import { type Arrival, acceptsGzip, readArrival } from "./call/arrival.ts";
import type { CallHost, OpenCall } from "./call/call-host.ts";
import { IncomingCall } from "./call/incoming-call.ts";
import { OpenCalls } from "./call/open-calls.ts";
import type { Peer } from "./call/peer.ts";
import {
	type ResponseTerms,
	refuseCall,
	refuseRequest,
} from "./call/response.ts";
import type { UnreadBytes } from "./call/unread-bytes.ts";
import type { Refusals } from "./limits/refusals.ts";
import { UnreadRequests } from "./limits/unread-requests.ts";
import { debugLog, inLine } from "./options/debug-log.ts";
import { tellHook } from "./options/error-hook.ts";
import type { ServerSettings } from "./options/server-options.ts";
import type { Routes } from "./routes.ts";

/** How many calls a server has had. */
export interface CallCounts {
	/** Calls that have started. Calls that were refused because of their headers are not counted. */
	readonly started: number;
	/** Calls that have ended with OK. */
	readonly succeeded: number;
	/** Calls that have ended with an error. */
	readonly failed: number;
	/** Calls that have not ended. */
	readonly inFlight: number;
}

/** Turns arriving requests into calls of handlers, and keeps the calls that are open. */
export class Dispatcher implements CallHost {
	readonly clock: Clock;
	readonly deadlines: Deadlines;
	readonly gzip: GzipTurns;
	readonly #settings: ServerSettings;
	readonly #routes: Routes;
	readonly #refusals: Refusals;
	readonly #calls = new OpenCalls<OpenCall>();
	readonly #unread: UnreadRequests;
	readonly #plainRequest: RequestTerms;
	readonly #gzipRequest: RequestTerms;
	readonly #plainResponse: ResponseTerms;
	readonly #gzipResponse: ResponseTerms;
	#succeeded = 0;
	#failed = 0;
	/** Why calls are refused; undefined while they are taken. */
	#closed: ConnectError | undefined;

	/** `probe`: finds out whether a client is still there. */
	constructor(
		clock: Clock,
		settings: ServerSettings,
		routes: Routes,
		refusals: Refusals,
		probe: (peer: Peer) => void,
	) {
		this.clock = clock;
		this.deadlines = new Deadlines(clock);
		this.gzip = new GzipTurns(settings.gzipLimits);
		this.#settings = settings;
		this.#routes = routes;
		this.#refusals = refusals;
		this.#unread = new UnreadRequests(
			this.#calls,
			clock,
			settings,
			refusals,
			probe,
		);
		const { inflations, deflations } = this.gzip;
		const maxMessageBytes = settings.readMaxBytes;
		this.#plainRequest = { encoding: undefined, maxMessageBytes, inflations };
		this.#gzipRequest = { ...this.#plainRequest, encoding: "gzip" };
		this.#plainResponse = { compression: undefined, deflations };
		this.#gzipResponse = { compression: "gzip", deflations };
	}

	get writeMaxBytes(): number {
		return this.#settings.writeMaxBytes;
	}

	get unread(): UnreadBytes {
		return this.#unread.bytes;
	}

	/** Bytes of request messages that no handler has read. */
	get unreadRequestBytes(): number {
		return this.unread.bytes;
	}

	get counts(): CallCounts {
		return {
			started: this.#succeeded + this.#failed + this.#calls.size,
			succeeded: this.#succeeded,
			failed: this.#failed,
			inFlight: this.#calls.size,
		};
	}

	requestTerms(encoding: string | undefined): RequestTerms {
		return encoding === "gzip" ? this.#gzipRequest : this.#plainRequest;
	}

	/** Takes a request: hands it to its handler, or refuses it. */
	dispatch(call: ServerCall, headers: RawHeaders, peer: Peer): void {
		const arrival = readArrival(call, headers, peer);
		const { method, contentType, path, encoding, timeout } = arrival;
		if (method !== "POST") {
			this.#refuseHttp(arrival, 405, `HTTP method ${method}`);
			return;
		}
		if (contentType === undefined || !isGrpc(contentType)) {
			this.#refuseHttp(arrival, 415, `content-type ${contentType}`);
			return;
		}
		const { maxMetadataBytes } = this.#settings;
		const bytes = headerBytes(headers);
		if (bytes > maxMetadataBytes) {
			const error = largeMetadata(bytes, maxMetadataBytes);
			this.#refusals.tell("maxMetadataBytes", error.rawMessage, peer);
			this.#refuse(arrival, error);
			return;
		}
		if (this.#closed !== undefined) {
			this.#refuse(arrival, this.#closed);
			return;
		}
		const served = this.#routes.find(path);
		if (served === undefined) {
			this.#refuse(arrival, this.#routes.whyNot(path));
			return;
		}
		if (
			encoding !== undefined &&
			encoding !== "gzip" &&
			encoding !== "identity"
		) {
			this.#refuse(arrival, unknownEncoding(encoding), [
				"grpc-accept-encoding",
				ACCEPT_ENCODING,
			]);
			return;
		}
		const timeoutMs = timeout === undefined ? undefined : parseTimeout(timeout);
		if (timeout !== undefined && timeoutMs === undefined) {
			this.#refuse(arrival, malformedTimeout(timeout));
			return;
		}
		const isCompressed =
			this.#settings.compression !== undefined && acceptsGzip(arrival);
		new IncomingCall(
			this,
			served,
			arrival,
			timeoutMs,
			isCompressed ? this.#gzipResponse : this.#plainResponse,
		);
	}

	/** Refuses a request that is not gRPC at all. */
	#refuseHttp(arrival: Arrival, httpStatus: number, why: string): void {
		this.#logRefusal(arrival, why);
		refuseRequest(arrival.call, httpStatus);
	}

	#refuse(arrival: Arrival, error: ConnectError, further?: RawHeaders): void {
		this.#logRefusal(arrival, error.message);
		refuseCall(arrival, error, further);
	}

	#logRefusal({ path, peer }: Arrival, why: string): void {
		debugLog("server: %s of %s is refused: %s", path, peer.address, why);
	}

	/** Ends the calls that are open with `reason`, and refuses all others with it. */
	close(reason: ConnectError): void {
		this.#closed = reason;
		for (const call of this.#calls) call.cancel(reason);
	}

	started(call: OpenCall): void {
		this.#calls.add(call);
		this.#unread.watch();
	}

	ended(call: OpenCall, code: Code | undefined): void {
		this.#calls.delete(call);
		if (code === undefined) this.#succeeded++;
		else this.#failed++;
		if (!debugLog.enabled) return;
		const outcome = code === undefined ? "ok" : codeName(code);
		debugLog(
			"server: %s of %s ended [%s]",
			call.arrival.path,
			call.arrival.peer.address,
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
