/** Answers of a Kubernetes API server other than slices, and ways in which it fails. */

import type { ServerResponse } from "node:http";

/** How it fails to answer a request, or fails in the middle of a watch. */
export type Fault =
	| "hang"
	/** Closes the connection without an answer. */
	| "reset"
	| "garbage"
	/** Cuts off the body in the middle. */
	| "truncated"
	/** Sends an endless body. */
	| "huge"
	| { readonly status: number; readonly message?: string }
	/** Sends this body with status 200. */
	| { readonly body: string };

export function json(
	response: ServerResponse,
	code: number,
	value: object,
): void {
	response
		.writeHead(code, { "content-type": "application/json" })
		.end(JSON.stringify(value));
}

export function status(code: number, reason: string, message: string): object {
	return {
		kind: "Status",
		apiVersion: "v1",
		metadata: {},
		status: "Failure",
		message,
		reason,
		code,
	};
}

export function refuse(
	response: ServerResponse,
	code: number,
	reason: string,
	message: string,
): void {
	json(response, code, status(code, reason, message));
}

export function misbehave(response: ServerResponse, fault: Fault): void {
	if (typeof fault === "object" && "body" in fault) {
		response.writeHead(200).end(fault.body);
		return;
	}
	if (typeof fault === "object") {
		const { status, message = "made so by the test" } = fault;
		refuse(response, status, "Fault", message);
		return;
	}
	switch (fault) {
		case "hang":
			return;
		case "reset":
			response.destroy();
			return;
		case "garbage":
			response.writeHead(200).end("<html>It works!</html>\n");
			return;
		case "truncated":
			response.writeHead(200, { "content-length": "1000" });
			response.write('{"kind":"EndpointSliceList","items":[{"metadata"', () =>
				response.destroy(),
			);
			return;
		case "huge": {
			const more = (): void => {
				if (response.destroyed) return;
				if (response.write("x".repeat(1024 * 1024))) setImmediate(more);
				else response.once("drain", more);
			};
			response.writeHead(200);
			more();
		}
	}
}
