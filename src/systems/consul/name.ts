import { OptionError, shown } from "../../checks/option-error.ts";
import { type Check, text } from "../../checks/option-table.ts";

/** What Consul's API refuses in a path: unprintable characters (Go's unicode.IsPrint), and ".", "..", which are other paths. */
const unusable = /[\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}|^\.{1,2}$/u;

/** Accepts the name of a service, an instance or a key, if it can be part of a path in Consul's API. */
export const consulName: Check<string> = (value, where) => {
	const name = text(value, where);
	if (!unusable.test(name)) return name;
	throw new OptionError(
		where,
		`${shown(name)} cannot be a name in Consul; use only printable characters, and not "." or ".."`,
	);
};
