import { styleText } from "node:util";

/** The heading of one part of the demo. */
export function part(title: string): void {
	console.log(`\n${styleText("bold", title)}`);
}

/** What was called, and what came of it. */
export function show(call: string, result: string): void {
	console.log(`  ${call.padEnd(42)} ${styleText("green", result)}`);
}

/** An error, as the caller saw it. */
export function showError(call: string, error: unknown): void {
	const message = error instanceof Error ? error.message : String(error);
	console.log(`  ${call.padEnd(42)} ${styleText("yellow", message)}`);
}

export function say(text: string): void {
	console.log(`  ${styleText("dim", text)}`);
}
