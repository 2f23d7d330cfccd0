import type { Interceptor } from "@connectrpc/connect";
import type { Duration } from "../../checks/duration.ts";
import { OptionError } from "../../checks/option-error.ts";
import {
	boolean,
	callable,
	checkOptions,
	either,
	integer,
	listOf,
	type OptionTable,
	oneOf,
	optionsOf,
} from "../../checks/option-table.ts";
import { parsePeriod } from "../../checks/period.ts";
import type { GzipLimits } from "../../wire/gzip/gzip-turns.ts";
import { MAX_HEADER_BYTES } from "../../wire/metadata.ts";
import type { ErrorHook } from "./error-hook.ts";
import type { RefusedHook } from "./refused-hook.ts";
import { type ShutdownOptions, shutdownOptions } from "./shutdown-options.ts";
import { type ServerTls, serverTlsOptions } from "./tls-options.ts";

/** Detects clients that have vanished, by sending them HTTP/2 PING frames (gRPC A8). */
export interface ServerKeepalive {
	/**
	 * How long nothing has been received from a client before a PING is sent: milliseconds, or "7200s". Default: 2 h.
	 */
	time?: Duration | undefined;
	/**
	 * How long a client may take to answer a PING before its connection is closed: milliseconds, or "20s". Default: 20 s.
	 */
	timeout?: Duration | undefined;
}

/**
 * Options of a server. All are checked when the server is made: an unknown option or a bad value throws an OptionError that
 * names it.
 */
export interface ServerOptions {
	/**
	 * Connect interceptors, which run around every handler. The first in the list is the outermost. Default: none.
	 */
	interceptors?: readonly Interceptor[] | undefined;
	/**
	 * The certificate and the key of the server, or a function that returns them. With `ca`, clients need a certificate
	 * signed by that authority. Default: plaintext.
	 */
	tls?: ServerTls | undefined;
	/** Whether the server provides the health service, grpc.health.v1.Health. Default: true. */
	health?: boolean | undefined;
	/**
	 * Whether SIGTERM and SIGINT shut the server down, as `shutdown` does with these options, and then end the process,
	 * unless other listeners for the signal exist. The shutdown takes at most 8 s, or as long as the options allow. A second
	 * signal ends the process at once. Default: false.
	 */
	handleSignals?: boolean | ShutdownOptions | undefined;
	/**
	 * How to compress response messages of 1 KiB or more, for clients that accept it: "gzip". Compressed requests are
	 * always accepted. Default: no compression.
	 */
	compression?: "gzip" | undefined;
	/** The largest request message, after decompression, in bytes. Default: 4 MiB. */
	readMaxBytes?: number | undefined;
	/**
	 * How many messages larger than 64 KiB the server may decompress at the same time on other threads, and likewise
	 * compress. Further messages wait in order. Default: 8.
	 */
	maxInflations?: number | undefined;
	/**
	 * Bytes that the messages being decompressed at the same time may take together. A message larger than this is
	 * decompressed alone. Default: 64 MiB.
	 */
	maxInflatingBytes?: number | undefined;
	/** The largest response message, before compression, in bytes. Default: 4 GiB, which is gRPC's own limit. */
	writeMaxBytes?: number | undefined;
	/**
	 * How many calls a client may have in flight on one connection. Clients hold further calls back; those that they send
	 * all the same are refused (REFUSED_STREAM). Default: 1000.
	 */
	maxConcurrentStreams?: number | undefined;
	/**
	 * The largest headers of a request, in bytes: names, values, and 32 for each entry (RFC 9113 section 6.5.2). The server
	 * announces the limit; a request that exceeds it ends with RESOURCE_EXHAUSTED. From 1 KiB to 128 KiB, which is the
	 * limit of node:http2. Default: 16 KiB.
	 */
	maxMetadataBytes?: number | undefined;
	/**
	 * Called with errors that are hidden from clients: what a handler throws other than a ConnectError, and failures
	 * outside of calls. What the hook throws, or its promise rejects with, is written to the console. Default: the error is
	 * written to the console with its stack.
	 */
	onError?: ErrorHook | undefined;
	/**
	 * Detects clients that have vanished: when to send them a PING, and how long they may take to answer. A client that
	 * does not answer is cut off, and its calls end (gRPC A8). Default: after 2 h of silence, with 20 s for the answer.
	 */
	keepalive?: ServerKeepalive | undefined;
	/**
	 * How long a client may take to send the rest of a frame, or of a request's headers, before it is cut off:
	 * milliseconds, or "60s". Default: 60 s.
	 */
	frameTimeout?: Duration | undefined;
	/**
	 * Bytes of request messages, complete or not, that may wait to be read by handlers, over all calls. Beyond it, calls
	 * that hold much end with RESOURCE_EXHAUSTED, beginning with those that have received nothing for the longest time. At
	 * least `readMaxBytes`. Default: 256 MiB, or four times `readMaxBytes` if that is more.
	 */
	maxUnreadRequestBytes?: number | undefined;
	/**
	 * How long a client may take from its TCP connection to its HTTP/2 SETTINGS frame, including TLS and a `tls` function,
	 * before it is cut off: milliseconds, or "10s". Default: 10 s.
	 */
	handshakeTimeout?: Duration | undefined;
	/**
	 * Called when the server refuses something or cuts a client off. `what` begins with the option whose limit was
	 * exceeded ("handshakeTimeout: …"), or with "handshake" for a failed handshake, "protocol" for a client that violates
	 * HTTP/2 or floods the server with frames, or "resets" for one that cancels too many calls. What the hook throws is
	 * written to the console. Default: nothing is called.
	 */
	onRefused?: RefusedHook | undefined;
}

const READ_MAX_BYTES = 4 * 1024 * 1024;

/** By default, 64 messages of the largest size, and half of the memory of a small container. */
const UNREAD_BYTES = 256 * 1024 * 1024;

const MAX_MESSAGE_BYTES = 2 ** 32 - 1;

/** Checked options, with the defaults filled in. */
export interface ServerSettings {
	readonly interceptors: readonly Interceptor[];
	readonly tls: ServerTls | undefined;
	readonly health: boolean;
	/** Undefined if signals are not handled. */
	readonly onSignals: ShutdownOptions | undefined;
	readonly compression: "gzip" | undefined;
	readonly readMaxBytes: number;
	readonly writeMaxBytes: number;
	readonly gzipLimits: GzipLimits;
	readonly maxConcurrentStreams: number;
	readonly maxMetadataBytes: number;
	readonly onError: ErrorHook | undefined;
	readonly handshakeTimeoutMs: number;
	readonly keepaliveTimeMs: number;
	readonly keepaliveTimeoutMs: number;
	readonly frameTimeoutMs: number;
	readonly maxUnreadRequestBytes: number;
	readonly onRefused: RefusedHook | undefined;
}

/**
 * Checks the options of a server and fills in the defaults.
 *
 * @throws OptionError that names an unknown option or a bad value
 */
export function serverSettings(options: ServerOptions): ServerSettings {
	checkOptions(options, table);
	const { handleSignals = false, keepalive = {} } = options;
	return {
		interceptors: options.interceptors ?? [],
		tls: options.tls,
		health: options.health ?? true,
		onSignals: handleSignals === true ? {} : handleSignals || undefined,
		compression: options.compression,
		readMaxBytes: options.readMaxBytes ?? READ_MAX_BYTES,
		gzipLimits: {
			maxInflations: options.maxInflations,
			maxInflatingBytes: options.maxInflatingBytes,
		},
		writeMaxBytes: options.writeMaxBytes ?? MAX_MESSAGE_BYTES,
		maxConcurrentStreams: options.maxConcurrentStreams ?? 1000,
		maxMetadataBytes: options.maxMetadataBytes ?? 16 * 1024,
		onError: options.onError,
		keepaliveTimeMs: msOf(keepalive.time, "keepalive.time", "7200s"),
		keepaliveTimeoutMs: msOf(keepalive.timeout, "keepalive.timeout", "20s"),
		frameTimeoutMs: msOf(options.frameTimeout, "frameTimeout", "60s"),
		maxUnreadRequestBytes: maxUnreadRequestBytes(options),
		handshakeTimeoutMs: msOf(
			options.handshakeTimeout,
			"handshakeTimeout",
			"10s",
		),
		onRefused: options.onRefused,
	};
}

const keepalive: OptionTable<ServerKeepalive> = {
	time: parsePeriod,
	timeout: parsePeriod,
};

const table: OptionTable<ServerOptions> = {
	interceptors: listOf(callable),
	tls: either<unknown>(
		"TLS options, or a function that returns them",
		callable,
		serverTlsOptions,
	),
	health: boolean,
	handleSignals: either<unknown>(
		"true, false or { graceMs, propagationMs }",
		boolean,
		optionsOf(shutdownOptions),
	),
	compression: oneOf("gzip"),
	readMaxBytes: integer(0, MAX_MESSAGE_BYTES),
	maxInflations: integer(1),
	maxInflatingBytes: integer(1),
	writeMaxBytes: integer(0, MAX_MESSAGE_BYTES),
	maxConcurrentStreams: integer(1, 2 ** 31 - 1),
	maxMetadataBytes: integer(1024, MAX_HEADER_BYTES),
	onError: callable,
	keepalive: optionsOf(keepalive),
	frameTimeout: parsePeriod,
	maxUnreadRequestBytes: integer(1),
	handshakeTimeout: parsePeriod,
	onRefused: callable,
};

function maxUnreadRequestBytes({
	readMaxBytes = READ_MAX_BYTES,
	maxUnreadRequestBytes: given,
}: ServerOptions): number {
	if (given === undefined) return Math.max(UNREAD_BYTES, 4 * readMaxBytes);
	if (given >= readMaxBytes) return given;
	throw new OptionError(
		"maxUnreadRequestBytes",
		`${given} is less than readMaxBytes, ${readMaxBytes}: the largest message could never be read`,
	);
}

function msOf(
	given: Duration | undefined,
	option: string,
	otherwise: Duration,
): number {
	return parsePeriod(given ?? otherwise, option);
}
