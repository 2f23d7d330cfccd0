/**
 * Makes calls over clients with Connect's interface: those of connect-node, and
 * those of homing, which are assignable to it.
 */

import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
	type CallOptions,
	type Client,
	ConnectError,
} from "@connectrpc/connect";
import {
	type Absent,
	type Call,
	CallSchema,
	type Instruction,
	type Outcome,
	OutcomeSchema,
	type Peer,
	type Reply,
	ReplySchema,
	StatusSchema,
} from "../gen/peer_pb.ts";
import type { RunningClient } from "./peer.ts";
import { Progress } from "./progress.ts";
import { fromHeaders, received, requestOf, toHeaders } from "./words.ts";

export function performer(
	peer: Client<typeof Peer>,
	absent: Client<typeof Absent>,
): RunningClient["perform"] {
	return async (init: MessageInitShape<typeof CallSchema>) => {
		const call = create(CallSchema, init);
		const outcome = create(OutcomeSchema, { status: {} });
		const progress = new Progress();
		const controller = new AbortController();
		if (call.cancelWhenStarted !== "") {
			peer
				.witness({ key: call.cancelWhenStarted })
				.then(() => controller.abort());
		}
		const options: CallOptions = {
			...optionsOf(call),
			signal: controller.signal,
			onHeader: (headers) => {
				outcome.headers = fromHeaders(headers);
			},
			onTrailer: (trailers) => {
				outcome.trailers = fromHeaders(trailers);
			},
		};
		try {
			for await (const reply of replies(peer, absent, call, options, {
				outcome,
				progress,
			})) {
				outcome.replies.push(received(reply));
				progress.replied();
				if (progress.replies === call.cancelAfterReplies) controller.abort();
			}
		} catch (error) {
			report(error, outcome);
		} finally {
			progress.end();
		}
		return outcome;
	};
}

export function optionsOf(call: Call): CallOptions {
	return {
		headers: toHeaders(call.headers),
		...(call.timeoutMs > 0 && { timeoutMs: call.timeoutMs }),
	};
}

async function* replies(
	peer: Client<typeof Peer>,
	absent: Client<typeof Absent>,
	call: Call,
	options: CallOptions,
	{ outcome, progress }: { outcome: Outcome; progress: Progress },
): AsyncIterable<Reply> {
	switch (call.method) {
		case "Unary":
			yield await peer.unary(requestOf(call, 0), options);
			return;
		case "ServerStream":
			yield* peer.serverStream(requestOf(call, 0), options);
			return;
		case "ClientStream":
			yield await peer.clientStream(requests(call, progress), options);
			return;
		case "BidiStream":
			yield* peer.bidiStream(requests(call, progress), options);
			return;
		case "Nothing":
			await peer.nothing({}, options);
			break;
		case "Unimplemented":
			await peer.unimplemented({}, options);
			break;
		case "Absent":
			await absent.nothing({}, options);
			break;
		case "Witness":
			outcome.witness = await peer.witness(call.witness ?? {}, options);
			return;
		default:
			throw new Error(`unknown method ${call.method}`);
	}
	yield create(ReplySchema);
}

async function* requests(
	call: Call,
	progress: Progress,
): AsyncIterable<Instruction> {
	for (const index of call.requests.keys()) {
		if (call.takeTurns) await progress.reaches(index);
		if (progress.ended) return;
		yield requestOf(call, index);
	}
	if (call.holdOpen) await progress.reaches(Number.POSITIVE_INFINITY);
}

/** Records how a call failed. Rethrows an error that is not a ConnectError. */
export function report(error: unknown, outcome: Outcome): void {
	if (!(error instanceof ConnectError)) throw error;
	outcome.trailers = fromHeaders(error.metadata);
	outcome.status = create(StatusSchema, {
		code: error.code,
		message: error.rawMessage,
		details: error.details.map((detail) =>
			"type" in detail
				? {
						typeUrl: `type.googleapis.com/${detail.type}`,
						value: new Uint8Array(detail.value),
					}
				: { typeUrl: "unsent" },
		),
	});
}
