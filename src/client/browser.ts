import type { DescService } from "@bufbuild/protobuf";
import type { Resolver } from "../discovery/resolver.ts";
import type { ServiceConfig } from "../policy/service-config.ts";
import { makeClient } from "./client-object.ts";
import type { Target } from "./new-client.ts";
import {
	type ClientOptions,
	compileClientOptions,
} from "./options/client-options.ts";
import { foreignCaller, isTransport } from "./transport/foreign-caller.ts";

/**
 * `newClient` for browsers, where there are no sockets: it makes clients over a Connect Transport only.
 *
 * @throws TypeError for any other target
 */
export function newClient<T extends object>(
	service: DescService,
	target: Target | undefined,
	options: ClientOptions = {},
	baked?: ServiceConfig & { target?: string },
): T {
	const compiled = compileClientOptions(service, options, baked);
	if (isTransport(target)) {
		return makeClient(service, foreignCaller(target, compiled));
	}
	throw needsNode(
		"a target to connect to",
		"a Connect Transport, such as one from createConnectTransport of @connectrpc/connect-web,",
	);
}

/** Replaces the real one in browsers. Always throws TypeError. */
export class Channel {
	constructor() {
		throw needsNode("a Channel", "a Connect Transport");
	}
}

/** Replaces the real one in browsers. Always throws TypeError. */
export function dnsResolver(): Resolver {
	throw needsNode("dnsResolver", "poll");
}

/** Replaces the real one in browsers. Always throws TypeError. */
export function srvResolver(): Resolver {
	throw needsNode("srvResolver", "poll");
}

/** Replaces the real one in browsers. Always throws TypeError. */
export function fileResolver(): Resolver {
	throw needsNode("fileResolver", "poll");
}

function needsNode(what: string, instead: string): TypeError {
	return new TypeError(
		`${what} needs Node.js; in a browser, use ${instead} instead`,
	);
}
