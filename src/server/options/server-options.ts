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
import type { GzipLimits } from "../../wire/gzip-turns.ts";
import { MAX_HEADER_BYTES } from "../../wire/metadata.ts";
import type { ErrorHook } from "./error-hook.ts";
import type { RefusedHook } from "./refused-hook.ts";
import { type ShutdownOptions, shutdownOptions } from "./shutdown-options.ts";
import { type ServerTls, serverTlsOptions } from "./tls-options.ts";

/** When clients are asked by PING whether they are still there (gRPC A8). */
export interface ServerKeepalive {
	/** How long nothing has come from a client before a PING: milliseconds, or "7200s". Default: 2 h. */
	time?: Duration | undefined;
	/** How long it may take to answer: milliseconds, or "20s". Default: 20 s. */
	timeout?: Duration | undefined;
}

export interface ServerOptions {
	/** Interceptors of Connect, run around every handler; the first is the outermost. Default: none. */
	interceptors?: readonly Interceptor[] | undefined;
	/**
	 * The certificate and key of the server, or a function that returns them; with a `ca`, clients must show a
	 * certificate that it has signed. Default: plaintext.
	 */
	tls?: ServerTls | undefined;
	/** Whether the server answers grpc.health.v1.Health. Default: true. */
	health?: boolean | undefined;
	/**
	 * SIGTERM and SIGINT shut down, as `shutdown` does with these options, within 8 s in all, or as long as they say; then
	 * the signal ends the process, unless others listen to it. A second one ends it at once. Default: false.
	 */
	handleSignals?: boolean | ShutdownOptions | undefined;
	/**
	 * Compresses responses of 1 KiB and more for clients that read gzip. Compressed requests are always read. Default:
	 * no compression.
	 */
	compression?: "gzip" | undefined;
	/** The most bytes of one request message, after decompression. Default: 4 MiB. */
	readMaxBytes?: number | undefined;
	/**
	 * The most received messages of more than 64 KiB that are inflated at the same time, and the most sent ones that
	 * are deflated; more wait in order. Default: 8.
	 */
	maxInflations?: number | undefined;
	/**
	 * The most bytes that the messages being inflated may take together; a larger message goes by itself. Default: 64
	 * MiB.
	 */
	maxInflatingBytes?: number | undefined;
	/** The most bytes of one response message, before compression. Default: 4 GiB, all that gRPC can carry. */
	writeMaxBytes?: number | undefined;
	/**
	 * The most calls at the same time on one connection; clients keep more of them back, or are refused
	 * (REFUSED_STREAM). Default: 1000.
	 */
	maxConcurrentStreams?: number | undefined;
	/**
	 * The most bytes of one request's headers: of their names and values, and 32 for each entry (RFC 9113 section
	 * 6.5.2). Clients are told the limit; a request with more ends with RESOURCE_EXHAUSTED. From 1 KiB to 128 KiB, which
	 * is what node:http2 can read. Default: 16 KiB.
	 */
	maxMetadataBytes?: number | undefined;
	/**
	 * Hears what a handler threw that is no ConnectError, whole: the client hears only that the call has failed. Default:
	 * that is written to the console, with its stack. So is what the hook itself throws, or its promise rejects with.
	 */
	onError?: ErrorHook | undefined;
	/**
	 * When a client is asked by PING whether it is still there, and how long it may take to answer; then it is cut off, and
	 * its calls end (gRPC A8). Default: after 2 h without a byte from it, and 20 s.
	 */
	keepalive?: ServerKeepalive | undefined;
	/**
	 * How long a client may take for the rest of a frame, or of a request's headers, that it has begun, before it is cut
	 * off: milliseconds, or "60s". Default: 60 s.
	 */
	frameTimeout?: Duration | undefined;
	/**
	 * The most bytes of request messages, whole or not, that wait to be read by handlers, over all calls. Beyond it, calls
	 * end with RESOURCE_EXHAUSTED: of those that hold much, the ones first that nothing has come for in the longest time.
	 * At least `readMaxBytes`. Default: 256 MiB, or four times `readMaxBytes`, if that is more.
	 */
	maxUnreadRequestBytes?: number | undefined;
	/**
	 * How long a client may take from its TCP connection to HTTP/2's SETTINGS, with TLS and a `tls` function, before
	 * it is cut off: milliseconds, or "10s". Default: 10 s.
	 */
	handshakeTimeout?: Duration | undefined;
	/**
	 * Hears of what was refused, or cut off: `what` begins with the option that says so ("handshakeTimeout: …"), with
	 * "handshake" for one that has failed, "protocol" for a client that breaks HTTP/2's rules or floods with frames, or
	 * "resets" for too many of them. What the hook itself throws is printed, and goes no further.
	 */
	onRefused?: RefusedHook | undefined;
}

const READ_MAX_BYTES = 4 * 1024 * 1024;

/** 64 of the largest messages, by default, and half of what a small container has. */
const UNREAD_BYTES = 256 * 1024 * 1024;

const MAX_MESSAGE_BYTES = 2 ** 32 - 1;

/** The options as a server goes by them. */
export interface ServerSettings {
	readonly interceptors: readonly Interceptor[];
	readonly tls: ServerTls | undefined;
	readonly health: boolean;
	/** undefined: signals are left alone. */
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

/** @throws OptionError for an unknown option and for a bad value, naming it */
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
