/**
 * Returns a thrown value in a form that can be converted to a string. An object that cannot be converted, such as one
 * without a prototype, is replaced by an Error that says so and has the object as its cause.
 */
export function showable(thrown: unknown): unknown {
	if (thrown instanceof Error || hasText(thrown)) return thrown;
	return new Error("an object was thrown that has no text", { cause: thrown });
}

function hasText(thrown: unknown): boolean {
	try {
		return String(thrown).length >= 0;
	} catch {
		return false;
	}
}
