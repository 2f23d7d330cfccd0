/** The known deviations: where a peer does not do what a case expects, and why. */

export interface Deviation {
	/** The names of the peers. Default: all peers. */
	readonly client?: string;
	readonly server?: string;
	readonly cases: RegExp;
	readonly because: string;
	/** If only the status code differs: the case is run, and the one code counts as the other. Otherwise the case is skipped. */
	readonly code?: {
		readonly reported: readonly number[];
		readonly meant: number;
	};
}

const deviations: readonly Deviation[] = [
	...["grpc-js", "connect-node"].map((client) => ({
		client,
		cases: /^cancelled while the server waits for a request/,
		because: "node:http2 half-closes a stream before it resets it",
	})),
	{
		client: "connect-node",
		cases: /^a deadline of more than eight digits/,
		because: "connect-node sends a grpc-timeout of nine digits",
	},
	{
		client: "connect-node",
		cases: /is UNAVAILABLE at once$/,
		because: "connect-node reports failed TLS handshakes as INTERNAL",
	},
	{
		client: "connect-node",
		server: "grpc-go",
		cases: /^a hundred calls at once.*over TLS$/,
		because: "connect-node loses responses in bursts: 'Premature close'",
	},
	{
		client: "connect-node",
		server: "grpc-go",
		cases: /^binary metadata: repeated keys/,
		because: "connect-node joins binary values, and grpc-go does not split",
	},
	{
		client: "grpc-go",
		server: "connect-node",
		cases: /^binary metadata: repeated keys/,
		because: "connect-node joins binary values, and grpc-go does not split",
	},
	{
		client: "grpc-js",
		server: "connect-node",
		cases: /^a message of any characters/,
		because:
			"connect-node encodes more of grpc-message than grpc-js decodes again",
	},
	{
		server: "kitex",
		cases: /TLS|^a server of an unknown authority/,
		because: "Kitex servers have no TLS",
	},
	{
		server: "kitex",
		cases: /^a service that the server lacks/,
		because: "Kitex answers with the grpc-status 20, which gRPC does not know",
	},
	{
		server: "kitex",
		cases: /^(a request of|gzip requests:) 4 MiB and a byte/,
		because: "Kitex limits no message",
	},
	{
		client: "kitex",
		cases: /^mutual TLS: a client without one/,
		because:
			"Kitex reports INTERNAL when the server refuses it after the request",
	},
	{
		client: "kitex",
		cases: /^a reply of 4 MiB and a byte/,
		because: "Kitex limits no message",
	},
	{
		client: "kitex",
		cases: /^gzip responses/,
		because: "Kitex clients accept gzip only where they send it",
	},
	...[{ client: "kitex" }, { server: "kitex" }].map((side) => ({
		...side,
		cases: /^(ASCII metadata: an empty value|binary metadata: no bytes)/,
		because:
			"Kitex's protobuf, prutal, loses an empty member of a oneof, as the test's messages have it",
	})),
	...["tonic", "grpcio"].map((server) => ({
		server,
		cases: /^cancelled while the server waits for a request/,
		because: `to ${server} handlers a cancelled call has no more requests`,
	})),
	{
		server: "tonic",
		cases: /^a request of 4 MiB and a byte/,
		because: "tonic says OUT_OF_RANGE",
		code: { reported: [11], meant: 8 },
	},
	{
		client: "tonic",
		cases: /^a reply of 4 MiB and a byte/,
		because: "tonic says OUT_OF_RANGE",
		code: { reported: [11], meant: 8 },
	},
	{
		client: "tonic",
		cases: /^cancelled while the server waits for a request/,
		because: "tonic half-closes a stream before it resets it",
	},
	...[{ client: "tonic" }, { client: "grpcio", server: "tonic" }].map(
		(who) => ({
			...who,
			cases: /^DEADLINE_EXCEEDED at the client/,
			because: "tonic says CANCELLED",
			code: { reported: [1], meant: 4 },
		}),
	),
	{
		client: "tonic",
		cases: /^mutual TLS: a client without one/,
		because:
			"tonic says UNKNOWN, or CANCELLED, when its connection ends at once",
		code: { reported: [1, 2], meant: 14 },
	},
	{
		client: "grpcio",
		cases: /^the server knows the time|^a deadline of more than eight digits/,
		because: "grpcio rounds timeouts up to three digits or so",
	},
];

/** Returns the known deviation of a pair from a case; undefined if there is none. */
export function deviation(
	client: string,
	server: string,
	name: string,
): Deviation | undefined {
	return deviations.find(
		(known) =>
			(known.client ?? client) === client &&
			(known.server ?? server) === server &&
			known.cases.test(name),
	);
}
