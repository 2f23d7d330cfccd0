import { OptionError, shown } from "../../checks/option-error.ts";
import { type Check, text } from "../../checks/option-table.ts";

/** What Consul's API does not take in a path: all that does not print, by Go's unicode.IsPrint, and what would lead elsewhere. */
const unfit = /[\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}|^\.{1,2}$/u;

/** A name that Consul can be asked for: of a service, of an instance, of a key. */
export const consulName: Check<string> = (value, where) => {
	const name = text(value, where);
	if (!unfit.test(name)) return name;
	throw new OptionError(
		where,
		`${shown(name)} is no name that Consul can be asked for; leave out what does not print, and do not call it "." or ".."`,
	);
};
