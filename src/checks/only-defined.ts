/** The object without the keys whose value is `undefined`. */
export function onlyDefined<T extends object>(object: T): OnlyDefined<T> {
	return Object.fromEntries(
		Object.entries(object).filter(([, value]) => value !== undefined),
	) as OnlyDefined<T>;
}

/** What may be undefined may be absent, and what is there is defined. */
export type OnlyDefined<T> = {
	[Key in keyof T as undefined extends T[Key] ? never : Key]: T[Key];
} & {
	[Key in keyof T as undefined extends T[Key] ? Key : never]?: Exclude<
		T[Key],
		undefined
	>;
};
