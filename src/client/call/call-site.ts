/**
 * Where calls are made, for the stacks of their errors. An error that comes from a socket has only frames of the runtime in
 * its stack, which do not show the line that made the call.
 */

/** The frames of the caller. The engine formats `stack` only when it is read. */
export interface CallSite {
	readonly stack: string;
}

/**
 * How many calls per second may look at the stack, which takes 2 to 4 µs. In development that is every call. Under load it
 * is some of them, and takes about a thousandth of a processor.
 */
const SITES_PER_SECOND = 500;

let sitesLeft = SITES_PER_SECOND;
let refilledAt = 0;

/** Errors that already show a call site: the stack of an error that is thrown again and again must not grow. */
const shown = new WeakSet<Error>();

/** Returns where `entry` was called. Undefined if the engine cannot tell, or if this was called too often in this second. */
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
 * Settles as `promise` does, but its error shows where the call was made. Without a `site`, the error shows which
 * functions await the call; that costs nothing unless the call fails.
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
	const setStack = (stack: unknown): void => {
		Object.defineProperty(error, "stack", {
			configurable: true,
			writable: true,
			value: stack,
		});
	};
	// Formatted when it is read: most errors are handled, and nobody reads their stacks.
	Object.defineProperty(error, "stack", {
		configurable: true,
		get: () => {
			const stack = joined(get === undefined ? value : get.call(error), site);
			setStack(stack);
			return stack;
		},
		set: setStack,
	});
}

/** A rejection handler: the engine knows which async functions await its promise. */
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

/** Puts the frames of the call behind the message of the error, which may have several lines. */
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
