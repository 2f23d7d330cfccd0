import type { CallStart } from "../../src/wire/connection.ts";
import { GzipTurns } from "../../src/wire/gzip/gzip-turns.ts";
import { PreparedHead } from "../../src/wire/prepared-head.ts";

const { inflations } = new GzipTurns();

/** The start of a call to `a.B/C` over plaintext. A test may change parts of it. */
export function startOf(change: Partial<CallStart> = {}): CallStart {
	return {
		head: new PreparedHead({
			scheme: "http",
			authority: "here.example",
			path: "/a.B/C",
			userAgent: "test",
			acceptEncoding: undefined,
			encoding: undefined,
		}),
		timeout: undefined,
		metadata: [],
		maxMessageBytes: 4 << 20,
		inflations,
		purpose: "call",
		request: undefined,
		isRequestCompressed: false,
		...change,
	};
}
