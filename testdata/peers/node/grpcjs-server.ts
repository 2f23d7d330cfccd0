/** The grpc-js peer's server. */

import type { EventEmitter } from "node:events";
import { create, toBinary } from "@bufbuild/protobuf";
import * as grpc from "@grpc/grpc-js";
import {
	type Instruction,
	Peer,
	type Reply,
	ReplySchema,
	type Seen,
	SeenSchema,
	type Status,
	StatusSchema,
	type WitnessReply,
	type WitnessRequest,
} from "../gen/peer_pb.ts";
import {
	definitionOf,
	fromMetadata,
	messageLimits,
	toMetadata,
} from "./grpcjs-words.ts";
import type { ServerPeer } from "./peer.ts";
import { Witnesses } from "./witness.ts";
import { ballast, weigh } from "./words.ts";

export const grpcjsServer: ServerPeer = {
	name: "grpc-js",
	compresses: false,
	async start({ tls }) {
		const server = new grpc.Server(messageLimits);
		server.addService(definitionOf(Peer), implementation());
		const credentials = tls
			? grpc.ServerCredentials.createSsl(
					Buffer.from(tls.ca ?? ""),
					[
						{
							cert_chain: Buffer.from(tls.certificate ?? ""),
							private_key: Buffer.from(tls.key ?? ""),
						},
					],
					tls.mutual,
				)
			: grpc.ServerCredentials.createInsecure();
		const port = await new Promise<number>((resolve, reject) =>
			server.bindAsync("127.0.0.1:0", credentials, (error, bound) =>
				error ? reject(error) : resolve(bound),
			),
		);
		return {
			address: `127.0.0.1:${port}`,
			stop: async () => server.forceShutdown(),
		};
	},
};

type UnaryCall = grpc.ServerUnaryCall<Instruction, Reply>;
type ReadableCall = grpc.ServerReadableStream<Instruction, Reply>;
type WritableCall = grpc.ServerWritableStream<Instruction, Reply>;
type DuplexCall = grpc.ServerDuplexStream<Instruction, Reply>;
type Requests = AsyncIterable<Instruction> | Iterable<Instruction>;

function implementation(): grpc.UntypedServiceImplementation {
	const witnesses = new Witnesses();
	return {
		unary(call: UnaryCall, callback: grpc.sendUnaryData<Reply>) {
			answer(new Script(call, witnesses), [call.request], callback);
		},
		clientStream(call: ReadableCall, callback: grpc.sendUnaryData<Reply>) {
			answer(new Script(call, witnesses), requestsOf(call), callback);
		},
		serverStream(call: WritableCall) {
			reply(new Script(call, witnesses), [call.request], call);
		},
		bidiStream(call: DuplexCall) {
			reply(new Script(call, witnesses), requestsOf(call), call);
		},
		nothing(_call: unknown, callback: grpc.sendUnaryData<object>) {
			callback(null, {});
		},
		witness(
			call: grpc.ServerUnaryCall<WitnessRequest, WitnessReply>,
			callback: grpc.sendUnaryData<WitnessReply>,
		) {
			witnesses.tell(call.request).then((told) => callback(null, told));
		},
	};
}

function requestsOf(call: ReadableCall | DuplexCall): Requests {
	// A stream that is destroyed automatically could not send the status of a call that ends early.
	return call.iterator({ destroyOnReturn: false });
}

function answer(
	script: Script,
	requests: Requests,
	callback: grpc.sendUnaryData<Reply>,
): void {
	script
		.follow(requests, async () => undefined)
		.then(
			(answer) => callback(null, answer, script.trailers),
			(error) => callback(error),
		);
}

function reply(
	script: Script,
	requests: Requests,
	call: WritableCall | DuplexCall,
): void {
	const send = async (reply: Reply) => {
		if (call.write(reply)) return;
		await Promise.race([
			new Promise<void>((resolve) => call.once("drain", resolve)),
			script.cancelled,
		]);
	};
	script.follow(requests, send).then(
		() => call.end(script.trailers),
		(error) => call.emit("error", error),
	);
}

/** One call: executes the instructions in its requests as they arrive. */
class Script {
	readonly cancelled: Promise<void>;
	trailers: grpc.Metadata = new grpc.Metadata();
	readonly #call: UnaryCall | ReadableCall | WritableCall | DuplexCall;
	readonly #witnesses: Witnesses;

	constructor(
		call: UnaryCall | ReadableCall | WritableCall | DuplexCall,
		witnesses: Witnesses,
	) {
		this.#call = call;
		this.#witnesses = witnesses;
		const { promise, resolve } = Promise.withResolvers<void>();
		this.cancelled = promise;
		(call as EventEmitter).on("cancelled", resolve);
	}

	/**
	 * Executes the instructions in the requests, and returns the first reply that
	 * the newest request asks for.
	 */
	async follow(
		requests: Requests,
		send: (reply: Reply) => Promise<void>,
	): Promise<Reply> {
		const seen = arrival(this.#call);
		let answer = create(ReplySchema);
		let leave: ((cancelled: boolean) => void) | undefined;
		// Runs until an instruction ends the call.
		let cancelled = true;
		try {
			for await (const request of requests) {
				if (leave === undefined) {
					leave = this.#witnesses.attend(request.witness);
					this.trailers = toMetadata(request.trailers);
					this.#call.sendMetadata(toMetadata(request.headers));
				}
				seen.requests.push(weigh(request.payload));
				const told = request.describe
					? { seen: { ...seen, requests: [...seen.requests] } }
					: {};
				answer = create(ReplySchema, told);
				for (const [i, bytes] of request.replies.entries()) {
					const reply = create(ReplySchema, {
						payload: ballast(bytes),
						...told,
					});
					await send(reply);
					if (this.#call.cancelled) throw new Error("cancelled");
					if (i === 0) answer = reply;
				}
				if (request.waitForCancel) {
					await this.cancelled;
					throw new Error("cancelled");
				}
				if (request.fail) {
					cancelled = false;
					throw failure(request.fail, this.trailers);
				}
				if (request.finish) break;
			}
			cancelled = false;
			return answer;
		} finally {
			leave?.(cancelled || this.#call.cancelled);
		}
	}
}

function arrival(call: {
	metadata: grpc.Metadata;
	getDeadline(): grpc.Deadline;
}): Seen {
	const deadline = Number(call.getDeadline());
	return create(SeenSchema, {
		metadata: fromMetadata(call.metadata),
		...(Number.isFinite(deadline) && {
			remainingMs: BigInt(Math.trunc(deadline - Date.now())),
		}),
	});
}

function failure(
	wanted: Status,
	trailers: grpc.Metadata,
): grpc.ServerErrorResponse {
	const metadata = trailers.clone();
	if (wanted.details.length > 0) {
		metadata.set(
			"grpc-status-details-bin",
			Buffer.from(toBinary(StatusSchema, wanted)),
		);
	}
	return Object.assign(new Error(wanted.message), {
		code: wanted.code,
		details: wanted.message,
		metadata,
	});
}
