import { nearMiss } from "../../checks/near-miss.ts";
import { OptionError, shown } from "../../checks/option-error.ts";
import { dns, http, ip, srv, unix } from "./address-schemes.ts";
import type { ParsedTarget } from "./parsed-target.ts";
import { consul, etcd, file, kubernetes, memory } from "./system-schemes.ts";
import type { SchemeName, TargetFacts } from "./target-facts.ts";

/** The rules of a scheme. */
export interface Scheme {
	/** `scheme:path` is a target of it too; else `scheme://` is what makes one. */
	readonly opaque?: true;
	/** What may follow the "?". */
	readonly parameters?: readonly string[];
	readonly facts: (target: ParsedTarget, where: string) => TargetFacts;
}

/** The schemes of the core. */
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

/** Refuses the parameters that a scheme does not know. */
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
						? `those of ${scheme}: are ${known.join(", ")}`
						: `${scheme}: has none; write %3F if the "?" is part of a name`;
			throw new OptionError(where, `has a parameter ${shown(name)}; ${cure}`);
		}
	}
}
