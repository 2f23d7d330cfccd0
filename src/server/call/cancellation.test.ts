import { Code, ConnectError } from "@connectrpc/connect";
import { expect, test, vi } from "vitest";
import { Cancellation } from "./cancellation.ts";

const reason = new ConnectError("gone", Code.Canceled);

test("tells listeners and the signal of a cancellation, once", () => {
	const cancellation = new Cancellation(undefined);
	const heard = vi.fn();
	const forgotten = vi.fn();
	cancellation.onCancel(heard);
	cancellation.onCancel(heard);
	cancellation.onCancel(forgotten)();
	const { signal } = cancellation;
	cancellation.cancel(reason);
	cancellation.cancel(new ConnectError("again", Code.Aborted));
	cancellation.complete();
	expect(heard.mock.calls).toEqual([[reason], [reason]]);
	expect(forgotten).not.toHaveBeenCalled();
	expect(signal.reason).toBe(reason);
});

test("fires the signal when the handler has ended, and tells no listener", () => {
	const cancellation = new Cancellation(undefined);
	const heard = vi.fn();
	cancellation.onCancel(heard);
	cancellation.complete();
	cancellation.cancel(reason);
	expect(cancellation.signal.aborted).toBe(true);
	expect(cancellation.signal.reason).not.toBe(reason);
	expect(heard).not.toHaveBeenCalled();
});

test("created after a cancellation, knows of it at once", () => {
	const cancellation = new Cancellation(reason);
	const heard = vi.fn();
	cancellation.onCancel(heard);
	expect(heard).toHaveBeenCalledWith(reason);
	expect(cancellation.signal.reason).toBe(reason);
});

test("created after the handler has ended, has a signal that has fired", () => {
	const cancellation = new Cancellation("completed");
	const heard = vi.fn();
	cancellation.onCancel(heard);
	expect(heard).not.toHaveBeenCalled();
	expect(cancellation.signal.aborted).toBe(true);
});
