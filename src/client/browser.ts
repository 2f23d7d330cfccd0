import type { DescService } from "@bufbuild/protobuf";
import type { Resolver } from "../discovery/resolver.ts";
import type { ServiceConfig } from "../policy/service-config.ts";
import { isTransport, overTransport } from "./foreign-client.ts";
import type { Target } from "./new-client.ts";
import { type ClientOptions, settleClient } from "./options/client-options.ts";

/** `newClient` where there are no sockets: over a Connect Transport, or not at all. */
export function newClient<T extends object>(
	service: DescService,
	target: Target | undefined,
	options: ClientOptions = {},
	baked?: ServiceConfig & { target?: string },
): T {
	const settled = settleClient(service, options, baked);
	if (isTransport(target)) return overTransport(service, target, settled);
	throw needsNode(
		"a target to connect to",
		"a Connect Transport, as createConnectTransport of @connectrpc/connect-web makes one",
	);
}

/** Stands where Node has the real one. Throws TypeError. */
export class Channel {
	constructor() {
		throw needsNode("a Channel", "a Connect Transport");
	}
}

/** Stands where Node has the real one. Throws TypeError. */
export function dnsResolver(): Resolver {
	throw needsNode("dnsResolver", "poll");
}

/** Stands where Node has the real one. Throws TypeError. */
export function srvResolver(): Resolver {
	throw needsNode("srvResolver", "poll");
}

/** Stands where Node has the real one. Throws TypeError. */
export function fileResolver(): Resolver {
	throw needsNode("fileResolver", "poll");
}

function needsNode(what: string, instead: string): TypeError {
	return new TypeError(
		`${what} needs Node.js: in a browser, use ${instead} instead`,
	);
}
