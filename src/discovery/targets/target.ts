import { nearMiss } from "../../checks/near-miss.ts";
import { OptionError, shown } from "../../checks/option-error.ts";
import { dns } from "./address-schemes.ts";
import { bracketed } from "./host-port.ts";
import {
	type ParsedTarget,
	splitScheme,
	splitTarget,
} from "./parsed-target.ts";
import { checkParameters, isScheme, schemes } from "./schemes.ts";
import {
	type EndpointSource,
	examples,
	nameInAuthority,
	type TargetFacts,
} from "./target-facts.ts";

/** A valid target, and what it means. */
export interface ReadTarget {
	readonly parsed: ParsedTarget;
	/** The target without secrets, for errors and logs. */
	readonly name: string;
	/** Where its endpoints come from; undefined for a scheme that the user added. */
	readonly source: EndpointSource | undefined;
	/** The name that TLS certificates must match: the host without its port, or the service's name in discovery. */
	readonly serverName: string;
	/** The default `:authority`: `serverName`, with the port if it is not the scheme's default (RFC 9110, section 4.2). */
	readonly defaultAuthority: string;
	/** Whether connections use TLS by default: the target begins with `https:`, or its port is 443. */
	readonly tls: boolean;
}

/**
 * Reads a target string.
 *
 * ```
 * host:port                      dns:///host:port           dns://server/host:port
 * srv:///_grpc._tcp.name         ipv4:a:port,b:port         ipv6:[a]:port,[b]:port
 * unix:path  unix:///path        unix-abstract:name         http://host  https://host
 * file:///path.json              memory:///name
 * consul://agent/service?dc=…    etcd://host,host/prefix    kubernetes:///service.namespace:port
 * ```
 *
 * The schemes that gRPC defines follow its document "gRPC Name Resolution"; their
 * default port is 443.
 *
 * @param extraSchemes names of further schemes, which take precedence; their
 * targets are checked only for the general form
 * @throws OptionError that names the target, says what is wrong with it, and what to write
 */
export function parseTarget(
	text: string,
	extraSchemes: Iterable<string> = [],
): ReadTarget {
	const where = `target ${shown(withoutSecrets(text))}`;
	if (typeof text !== "string" || text === "") {
		throw new OptionError(
			where,
			'is not a target; write one as in "localhost:50051"',
		);
	}
	if (/[\s\p{Cc}]/u.test(text)) {
		throw new OptionError(
			where,
			"has white space or a control character in it; remove it, or percent-encode it (%20)",
		);
	}
	const { scheme, rest } = splitScheme(text);
	const extra = new Set([...extraSchemes].map((name) => name.toLowerCase()));
	if (scheme !== undefined && rest.startsWith("//") && extra.has(scheme)) {
		return readExtra(splitTarget(scheme, rest, text, where));
	}
	if (scheme !== undefined && isScheme(scheme)) {
		const { opaque, facts } = schemes[scheme];
		if (rest.startsWith("//") || opaque) {
			const parsed = splitTarget(scheme, rest, text, where);
			refuseUser(parsed.authority, where);
			checkParameters(parsed, where);
			return readKnown(parsed, facts(parsed, where));
		}
		if (!/^\d*$/.test(rest)) {
			throw new OptionError(
				where,
				`lacks the slashes of ${scheme}:; write it as in ${examples[scheme]}`,
			);
		}
	} else if (scheme !== undefined && rest.startsWith("//")) {
		throw unknownScheme(scheme, [...Object.keys(schemes), ...extra], where);
	}
	return readHostPort(text, where);
}

/** Reads `host:port`, which means `dns:///host:port`. */
function readHostPort(text: string, where: string): ReadTarget {
	const [, path = "", more = ""] = /^([^/?#]*)(.*)$/s.exec(text) ?? [];
	refuseUser(path, where);
	if (more !== "") {
		throw new OptionError(
			where,
			`is host:port followed by ${shown(more)}; leave that out, or write the scheme that it belongs to`,
		);
	}
	if (path.includes(",")) {
		throw new OptionError(
			where,
			"has a comma; write several addresses as in ipv4:10.0.0.1:50051,10.0.0.2:50051, or one name that has them all",
		);
	}
	const parsed = { ...splitTarget("dns", `///${path}`, text, where), text };
	return readKnown(parsed, dns(parsed, where));
}

function refuseUser(authority: string, where: string): void {
	if (authority.includes("@")) {
		throw new OptionError(
			where,
			'has an "@"; credentials are an option of the channel, so leave out what stands before it',
		);
	}
}

/** A target without what comes before an "@", and without a token. */
function withoutSecrets(text: string): string {
	return typeof text === "string"
		? text
				.replace(/^((?:[a-z][a-z\d+.-]*:)?\/\/|)[^/?#@]*@/i, "$1…@")
				.replace(/([?&]token=)[^&#]*/gi, "$1…")
		: text;
}

function readKnown(parsed: ParsedTarget, facts: TargetFacts): ReadTarget {
	const tls = facts.tls ?? facts.port === 443;
	// An IPv6 zone has a meaning on this machine only (RFC 6874), and names in certificates do not end with a dot.
	const serverName = facts.serverName.replace(/%.*$|\.$/, "");
	const port =
		facts.port === undefined || facts.port === (tls ? 443 : 80)
			? ""
			: `:${facts.port}`;
	return {
		parsed,
		name: withoutSecrets(parsed.text),
		source: facts.source,
		serverName,
		defaultAuthority: `${bracketed(serverName)}${port}`,
		tls,
	};
}

function readExtra(parsed: ParsedTarget): ReadTarget {
	const serverName = nameInAuthority(parsed.path.split("/").at(-1) ?? "");
	return {
		parsed,
		name: withoutSecrets(parsed.text),
		source: undefined,
		serverName,
		defaultAuthority: serverName,
		tls: false,
	};
}

function unknownScheme(
	scheme: string,
	known: readonly string[],
	where: string,
): OptionError {
	const meant = nearMiss(scheme, known);
	return new OptionError(
		where,
		`${shown(scheme)} is not a scheme; ${meant === undefined ? "" : `did you mean ${meant}? `}the schemes are ${known.join(", ")}`,
		"unknown",
	);
}
