/**
 * Where calls are made, for the stacks of their errors: what comes off a socket has only frames of the runtime in its
 * stack, and says nothing of the line that made the call.
 */

/** Frames of the caller, in `stack`, which the engine writes out only when it is read. */
export interface CallSite {
	readonly stack: string;
}

/**
 * To look at the stack costs 2 to 4 µs a call. So many calls a second may: all of a program that is being written, and
 * some of one under load, where it then takes a thousandth of a processor.
 */
const SITES_PER_SECOND = 500;

let sitesLeft = SITES_PER_SECOND;
let refilledAt = 0;

/** Errors that show it already: one that is thrown again and again must not grow. */
const shown = new WeakSet<Error>();

/** Where `entry` was called; undefined where the engine cannot tell, and when that has been asked too often of late. */
export function callSite(
	entry: (...args: never[]) => unknown,
): CallSite | undefined {
	if (sitesLeft === 0 && !refilled()) return undefined;
	sitesLeft -= 1;
	return framesAbove(entry);
}

function refilled(): boolean {
	const now = performance.now();
	if (Math.abs(now - refilledAt) < 1000) return false;
	refilledAt = now;
	sitesLeft = SITES_PER_SECOND;
	return true;
}

/**
 * As `promise`, but an error that it rejects with shows where the call was made. Without a `site` it shows which
 * functions await the call, which costs nothing unless it fails.
 */
export function atCallSite<T>(
	promise: Promise<T>,
	site: CallSite | undefined,
): Promise<T> {
	return promise.then(
		undefined,
		site === undefined
			? showAwaiting
			: (error: unknown) => {
					showCallSite(error, site);
					throw error;
				},
	);
}

/** Puts the frames of `site` at the top of the stack of `error`. */
export function showCallSite(error: unknown, site: CallSite | undefined): void {
	if (site === undefined || !(error instanceof Error) || shown.has(error)) {
		return;
	}
	const own = Object.getOwnPropertyDescriptor(error, "stack");
	if (own?.configurable !== true) return;
	shown.add(error);
	const { get, value } = own;
	const settle = (stack: unknown): void => {
		Object.defineProperty(error, "stack", {
			configurable: true,
			writable: true,
			value: stack,
		});
	};
	// Written out when it is asked for: most errors are handled, and nobody reads their stacks.
	Object.defineProperty(error, "stack", {
		configurable: true,
		get: () => {
			const stack = joined(get === undefined ? value : get.call(error), site);
			settle(stack);
			return stack;
		},
		set: settle,
	});
}

/** The engine knows which asynchronous functions wait for the promise whose handler this is. */
function showAwaiting(error: unknown): never {
	showCallSite(error, framesAbove(showAwaiting));
	throw error;
}

function framesAbove(
	entry: (...args: never[]) => unknown,
): CallSite | undefined {
	if (Error.captureStackTrace === undefined) return undefined;
	const site = {};
	Error.captureStackTrace(site, entry);
	return site as CallSite;
}

/** Behind the message, which may have several lines, come first the frames of the call. */
function joined(stack: unknown, site: CallSite): unknown {
	if (typeof stack !== "string") return stack;
	const frames = site.stack
		.slice(startOfFrames(site.stack))
		.replace(/\n {4}at .*[( ]node:internal\/.*/g, "");
	const at = startOfFrames(stack);
	return `${stack.slice(0, at)}${frames}${stack.slice(at)}`;
}

function startOfFrames(stack: string): number {
	const at = stack.search(/\n {4}at /);
	return at < 0 ? stack.length : at;
}
