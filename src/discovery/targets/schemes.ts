import { nearMiss } from "../../checks/near-miss.ts";
import { OptionError, shown } from "../../checks/option-error.ts";
import { dns, http, ip, srv, unix } from "./address-schemes.ts";
import type { ParsedTarget } from "./parsed-target.ts";
import { consul, etcd, file, kubernetes, memory } from "./system-schemes.ts";
import type { SchemeName, TargetFacts } from "./target-facts.ts";

/** The rules of a scheme. */
export interface Scheme {
	/** Whether `scheme:path` is a target too. Otherwise a target must begin with `scheme://`. */
	readonly opaque?: true;
	/** The names of the parameters that may follow the "?". */
	readonly parameters?: readonly string[];
	/** Reads the target. Throws an OptionError that begins with `where`. */
	readonly facts: (target: ParsedTarget, where: string) => TargetFacts;
}

/** The schemes that homing itself knows. */
export const schemes: Readonly<Record<SchemeName, Scheme>> = {
	dns: { opaque: true, facts: dns },
	srv: { facts: srv },
	ipv4: { opaque: true, facts: ip },
	ipv6: { opaque: true, facts: ip },
	unix: { opaque: true, facts: unix },
	"unix-abstract": { opaque: true, facts: unix },
	http: { facts: http },
	https: { facts: http },
	file: { facts: file },
	memory: { facts: memory },
	consul: {
		parameters: [
			"dc",
			"near",
			"filter",
			"ns",
			"stale",
			"consistent",
			"token",
			"config",
		],
		facts: consul,
	},
	etcd: { parameters: ["config"], facts: etcd },
	kubernetes: { facts: kubernetes },
};

export function isScheme(name: string): name is SchemeName {
	return Object.hasOwn(schemes, name);
}

/** Throws an OptionError for a parameter that the scheme does not know. */
export function checkParameters(
	{ scheme, parameters }: ParsedTarget,
	where: string,
): void {
	const known = isScheme(scheme) ? (schemes[scheme].parameters ?? []) : [];
	for (const name of parameters.keys()) {
		if (!known.includes(name)) {
			const meant = nearMiss(name, known);
			const cure =
				meant !== undefined
					? `did you mean ${meant}?`
					: known.length > 0
						? `the parameters of ${scheme}: are ${known.join(", ")}`
						: `${scheme}: has none; write %3F if the "?" is part of a name`;
			throw new OptionError(where, `has a parameter ${shown(name)}; ${cure}`);
		}
	}
}
