/** What somebody has thrown; in place of an object that has no text, such as one without a prototype, an Error that says so. */
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
