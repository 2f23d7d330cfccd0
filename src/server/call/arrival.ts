import type { ServerCall } from "../../wire/connection.ts";
import type { RawHeaders } from "../../wire/headers.ts";
import type { Peer } from "./peer.ts";

/** A call as it arrives: where it came from, and what its request headers say to the server itself. */
export interface Arrival {
	readonly call: ServerCall;
	readonly headers: RawHeaders;
	readonly peer: Peer;
	method: string;
	scheme: string;
	authority: string;
	path: string;
	contentType: string | undefined;
	/** `grpc-timeout` */
	timeout: string | undefined;
	/** `grpc-encoding` */
	encoding: string | undefined;
	/** `grpc-accept-encoding` */
	acceptEncoding: string | undefined;
}

/** Reads the request headers in one pass. If a header is repeated, the first one counts. */
export function readArrival(
	call: ServerCall,
	headers: RawHeaders,
	peer: Peer,
): Arrival {
	const arrival: Arrival = {
		call,
		headers,
		peer,
		method: "",
		scheme: "http",
		authority: "",
		path: "",
		contentType: undefined,
		timeout: undefined,
		encoding: undefined,
		acceptEncoding: undefined,
	};
	for (let i = headers.length - 2; i >= 0; i -= 2) {
		const value = headers[i + 1] as string;
		switch (headers[i]) {
			case ":method":
				arrival.method = value;
				break;
			case ":scheme":
				arrival.scheme = value;
				break;
			case ":authority":
			case "host":
				arrival.authority = value;
				break;
			case ":path":
				arrival.path = value;
				break;
			case "content-type":
				arrival.contentType = value;
				break;
			case "grpc-timeout":
				arrival.timeout = value;
				break;
			case "grpc-encoding":
				arrival.encoding = value;
				break;
			case "grpc-accept-encoding":
				arrival.acceptEncoding = value;
				break;
		}
	}
	return arrival;
}

/** Whether the client reads responses that are compressed with gzip. */
export function acceptsGzip({ acceptEncoding }: Arrival): boolean {
	return (
		acceptEncoding?.split(",").some((name) => name.trim() === "gzip") ?? false
	);
}
