import { guarded } from "../../policy/guarded.ts";
import type { ClientHooks } from "./hooks.ts";

/** Wraps each hook so that what it throws is printed and has no other effect. Absent hooks stay absent. */
export function guardedHooks(hooks: ClientHooks): ClientHooks {
	return Object.fromEntries(
		Object.entries(hooks)
			.filter(([, hook]) => hook !== undefined)
			.map(([name, hook]) => [
				name,
				guarded(hook.bind(hooks), `the hook ${name}`),
			]),
	);
}
