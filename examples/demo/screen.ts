import { styleText } from "node:util";

/** Prints the heading of one part of the demo. */
export function part(title: string): void {
	console.log(`\n${styleText("bold", title)}`);
}

/** Prints a call and its result. */
export function show(call: string, result: string): void {
	console.log(`  ${call.padEnd(42)} ${styleText("green", result)}`);
}

/** Prints a call and the error that its caller got. */
export function showError(call: string, error: unknown): void {
	const message = error instanceof Error ? error.message : String(error);
	console.log(`  ${call.padEnd(42)} ${styleText("yellow", message)}`);
}

/** Prints a remark. */
export function say(text: string): void {
	console.log(`  ${styleText("dim", text)}`);
}
