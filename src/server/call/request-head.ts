import type { RawHeaders } from "../../wire/headers.ts";

/** What the headers of a request say to the server itself. */
export interface RequestHead {
	method: string;
	scheme: string;
	authority: string;
	path: string;
	contentType: string | undefined;
	timeout: string | undefined;
	encoding: string | undefined;
	acceptEncoding: string | undefined;
}

/** Reads a request's headers in one pass; of a repeated one, the first counts. */
export function readHead(headers: RawHeaders): RequestHead {
	const head: RequestHead = {
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
				head.method = value;
				break;
			case ":scheme":
				head.scheme = value;
				break;
			case ":authority":
			case "host":
				head.authority = value;
				break;
			case ":path":
				head.path = value;
				break;
			case "content-type":
				head.contentType = value;
				break;
			case "grpc-timeout":
				head.timeout = value;
				break;
			case "grpc-encoding":
				head.encoding = value;
				break;
			case "grpc-accept-encoding":
				head.acceptEncoding = value;
				break;
		}
	}
	return head;
}

/** Whether the client reads responses that gzip has compressed. */
export function acceptsGzip({ acceptEncoding }: RequestHead): boolean {
	return (
		acceptEncoding?.split(",").some((name) => name.trim() === "gzip") ?? false
	);
}
