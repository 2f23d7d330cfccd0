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

/** A target that has been read and found good. */
export interface ReadTarget {
	readonly parsed: ParsedTarget;
	/** The target as errors and logs may show it. */
	readonly name: string;
	/** Where its endpoints come from; none for a scheme that is not the core's. */
	readonly source: EndpointSource | undefined;
	/** The name in TLS: the host without its port, or the service's name in discovery. */
	readonly serverName: string;
	/** `:authority`: `serverName`, with the port where it is not the one that the scheme implies (RFC 9110, section 4.2). */
	readonly defaultAuthority: string;
	/** The target says `https:`, or its port is 443. */
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
 * Those of gRPC are as its document "gRPC Name Resolution" has them, port 443
 * being the default.
 *
 * @param extraSchemes names of further schemes, which take precedence; of their
 * targets only the general form is checked
 * @throws OptionError that names the target, what is wrong with it, and the cure
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

/** `host:port`, which means `dns:///host:port`. */
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
	// Zones are of this machine only (RFC 6874), and a certificate has no dot at its end.
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
