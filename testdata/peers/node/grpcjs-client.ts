/** The grpc-js peer's client. */

import type { EventEmitter } from "node:events";
import {
	create,
	fromBinary,
	type Message,
	type MessageInitShape,
} from "@bufbuild/protobuf";
import { EmptySchema } from "@bufbuild/protobuf/wkt";
import * as grpc from "@grpc/grpc-js";
import {
	Absent,
	type Call,
	CallSchema,
	type Outcome,
	OutcomeSchema,
	Peer,
	type Reply,
	ReplySchema,
	type Status,
	StatusSchema,
	type WitnessReply,
	WitnessRequestSchema,
} from "../gen/peer_pb.ts";
import {
	definitionOf,
	fromMetadata,
	messageLimits,
	toMetadata,
} from "./grpcjs-words.ts";
import type { ClientPeer } from "./peer.ts";
import { Progress } from "./progress.ts";
import { received, requestOf } from "./words.ts";

export const grpcjsClient: ClientPeer = {
	name: "grpc-js",
	async connect({ address = "", tls, gzip }) {
		const credentials = tls
			? grpc.credentials.createSsl(
					pem(tls.ca),
					pem(tls.key),
					pem(tls.certificate),
				)
			: grpc.credentials.createInsecure();
		const client = new grpc.Client(address, credentials, {
			...messageLimits,
			...(gzip && {
				"grpc.default_compression_algorithm": grpc.compressionAlgorithms.gzip,
			}),
		});
		return {
			perform: (call) => perform(client, call),
			close: async () => client.close(),
		};
	},
};

function pem(text: string | undefined): Buffer | null {
	return text ? Buffer.from(text) : null;
}

type Definition = grpc.MethodDefinition<Message, Message>;

const peer = definitionOf(Peer);
const definitions = new Map<string, Definition | undefined>([
	["Unary", peer["unary"]],
	["ServerStream", peer["serverStream"]],
	["ClientStream", peer["clientStream"]],
	["BidiStream", peer["bidiStream"]],
	["Nothing", peer["nothing"]],
	["Witness", peer["witness"]],
	["Unimplemented", peer["unimplemented"]],
	["Absent", definitionOf(Absent)["nothing"]],
]);

function perform(
	client: grpc.Client,
	init: MessageInitShape<typeof CallSchema>,
): Promise<Outcome> {
	const call = create(CallSchema, init);
	const outcome = create(OutcomeSchema, { status: {} });
	const progress = new Progress();
	const onReply = (reply: Message) => {
		if (call.method === "Witness") {
			outcome.witness = reply as WitnessReply;
			return;
		}
		outcome.replies.push(received(replyOf(call, reply)));
		progress.replied();
		if (progress.replies === call.cancelAfterReplies) handle.cancel();
	};
	const onError = (error: grpc.StatusObject) => {
		outcome.status = statusOf(error);
	};
	const handle = open(client, call, onReply, onError);
	handle.on("metadata", (metadata: grpc.Metadata) => {
		outcome.headers = fromMetadata(metadata);
	});
	if ("write" in handle) void feed(call, handle as Writable, progress);
	if (call.cancelWhenStarted !== "") {
		whenStarted(client, call.cancelWhenStarted, () => handle.cancel());
	}
	return new Promise((resolve) => {
		handle.on("status", (status: grpc.StatusObject) => {
			outcome.trailers = fromMetadata(status.metadata);
			progress.end();
			// The stream first emits the replies that it still holds.
			setImmediate(() => resolve(outcome));
		});
	});
}

type Handle = EventEmitter & { cancel(): void };

type Writable = Handle & grpc.ClientWritableStream<Message>;

function open(
	client: grpc.Client,
	call: Call,
	onReply: (reply: Message) => void,
	onError: (error: grpc.StatusObject) => void,
): Handle {
	const definition = definitions.get(call.method);
	if (!definition) throw new Error(`unknown method ${call.method}`);
	const { path, requestSerialize, responseDeserialize } = definition;
	const metadata = toMetadata(call.headers);
	const options: grpc.CallOptions = call.timeoutMs
		? { deadline: Date.now() + call.timeoutMs }
		: {};
	const codec = [path, requestSerialize, responseDeserialize] as const;
	const onAnswer = (error: grpc.ServiceError | null, reply?: Message) => {
		if (error) onError(error);
		else if (reply) onReply(reply);
	};
	if (definition.requestStream && !definition.responseStream) {
		return client.makeClientStreamRequest(
			...codec,
			metadata,
			options,
			onAnswer,
		);
	}
	if (!definition.responseStream) {
		return client.makeUnaryRequest(
			...codec,
			firstRequest(call),
			metadata,
			options,
			onAnswer,
		);
	}
	const stream = definition.requestStream
		? client.makeBidiStreamRequest(...codec, metadata, options)
		: client.makeServerStreamRequest(
				...codec,
				firstRequest(call),
				metadata,
				options,
			);
	return stream.on("data", onReply).on("error", (error) => {
		onError(error as grpc.ServiceError);
	});
}

function firstRequest(call: Call): Message {
	switch (call.method) {
		case "Witness":
			return call.witness ?? create(WitnessRequestSchema);
		case "Unary":
		case "ServerStream":
			return requestOf(call, 0);
		default:
			return create(EmptySchema);
	}
}

function replyOf(call: Call, reply: Message): Reply {
	return call.method === "Nothing" ? create(ReplySchema) : (reply as Reply);
}

async function feed(
	call: Call,
	stream: Writable,
	progress: Progress,
): Promise<void> {
	for (const index of call.requests.keys()) {
		if (call.takeTurns) await progress.reaches(index);
		if (progress.ended) return;
		await new Promise<void>((resolve) =>
			stream.write(requestOf(call, index), () => resolve()),
		);
	}
	if (!call.holdOpen) stream.end();
}

function whenStarted(
	client: grpc.Client,
	key: string,
	listener: () => void,
): void {
	const call = create(CallSchema, {
		method: "Witness",
		witness: { key },
	});
	open(client, call, listener, () => undefined);
}

function statusOf({ code, details, metadata }: grpc.StatusObject): Status {
	const [encoded] = metadata.get("grpc-status-details-bin");
	const rich = Buffer.isBuffer(encoded)
		? fromBinary(StatusSchema, new Uint8Array(encoded))
		: create(StatusSchema);
	return create(StatusSchema, {
		code,
		message: details,
		details: rich.details,
	});
}
