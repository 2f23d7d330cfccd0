/** Copies an object without the keys whose value is `undefined`. */
export function onlyDefined<T extends object>(object: T): OnlyDefined<T> {
	return Object.fromEntries(
		Object.entries(object).filter(([, value]) => value !== undefined),
	) as OnlyDefined<T>;
}

/** `T` with each key that may be `undefined` turned into an optional key that is never `undefined`. */
export type OnlyDefined<T> = {
	[Key in keyof T as undefined extends T[Key] ? never : Key]: T[Key];
} & {
	[Key in keyof T as undefined extends T[Key] ? Key : never]?: Exclude<
		T[Key],
		undefined
	>;
};
