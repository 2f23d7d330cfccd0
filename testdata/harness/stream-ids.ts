import http2 from "node:http2";
import { syncBuiltinESMExports } from "node:module";

type Session = http2.ClientHttp2Session & { setNextStreamID(id: number): void };

/** Makes every new client connection start with this stream id: an odd number below 2^31. */
export function beginStreamsAt(id: number): Disposable {
	const { connect } = http2;
	const put = (instead: typeof connect): void => {
		http2.connect = instead;
		syncBuiltinESMExports();
	};
	put(((...args: Parameters<typeof connect>) => {
		const session = connect(...args);
		// The types of Node do not include this method.
		(session as Session).setNextStreamID(id);
		return session;
	}) as typeof connect);
	return { [Symbol.dispose]: () => put(connect) };
}
