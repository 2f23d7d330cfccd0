/**
 * The test service as a Connect `ServiceImpl`, for connect-node's router and for
 * homing's Server.
 */

import { create } from "@bufbuild/protobuf";
import {
	ConnectError,
	type HandlerContext,
	type ServiceImpl,
} from "@connectrpc/connect";
import {
	type Instruction,
	type Peer,
	type Reply,
	ReplySchema,
	type Seen,
	SeenSchema,
	type Status,
} from "../gen/peer_pb.ts";
import { Witnesses } from "./witness.ts";
import { ballast, fromHeaders, toHeaders, weigh } from "./words.ts";

export type PeerService = Omit<ServiceImpl<typeof Peer>, "unimplemented">;

export function peerService(): PeerService {
	const witnesses = new Witnesses();
	return {
		unary: (request, context) =>
			answerOf(follow(once(request), context, witnesses)),
		serverStream: (request, context) =>
			follow(once(request), context, witnesses),
		clientStream: (requests, context) =>
			answerOf(follow(requests, context, witnesses)),
		bidiStream: (requests, context) => follow(requests, context, witnesses),
		nothing: () => ({}),
		witness: (request) => witnesses.tell(request),
	};
}

/**
 * Executes the instructions in the requests, and returns the first reply that the
 * newest request asks for.
 */
async function* follow(
	requests: AsyncIterable<Instruction>,
	context: HandlerContext,
	witnesses: Witnesses,
): AsyncGenerator<Reply, Reply> {
	const seen = arrival(context);
	let answer = create(ReplySchema);
	let leave: ((cancelled: boolean) => void) | undefined;
	// Runs until an instruction ends the call.
	let cancelled = true;
	try {
		for await (const request of requests) {
			if (leave === undefined) {
				leave = witnesses.attend(request.witness);
				toHeaders(request.headers, context.responseHeader);
				toHeaders(request.trailers, context.responseTrailer);
			}
			seen.requests.push(weigh(request.payload));
			const told = request.describe
				? { seen: { ...seen, requests: [...seen.requests] } }
				: {};
			answer = create(ReplySchema, told);
			for (const [i, bytes] of request.replies.entries()) {
				const reply = create(ReplySchema, { payload: ballast(bytes), ...told });
				yield reply;
				if (i === 0) answer = reply;
			}
			if (request.waitForCancel) await cancellation(context.signal);
			if (request.fail) {
				cancelled = false;
				throw failure(request.fail);
			}
			if (request.finish) break;
		}
		cancelled = false;
		return answer;
	} finally {
		leave?.(cancelled || context.signal.aborted);
	}
}

async function* once(request: Instruction): AsyncIterable<Instruction> {
	yield request;
}

async function answerOf(replies: AsyncGenerator<Reply, Reply>): Promise<Reply> {
	for (;;) {
		const result = await replies.next();
		if (result.done) return result.value;
	}
}

function arrival(context: HandlerContext): Seen {
	const remaining = context.timeoutMs();
	return create(SeenSchema, {
		metadata: fromHeaders(context.requestHeader),
		...(remaining !== undefined && {
			remainingMs: BigInt(Math.trunc(remaining)),
		}),
	});
}

/** Rejects when the signal fires, with its reason. */
function cancellation(signal: AbortSignal): Promise<never> {
	return new Promise((_, reject) => {
		const leave = () => reject(signal.reason);
		if (signal.aborted) leave();
		else signal.addEventListener("abort", leave, { once: true });
	});
}

function failure({ code, message, details }: Status): ConnectError {
	const error = new ConnectError(message, code);
	error.details = details.map(({ typeUrl, value }) => ({
		type: typeUrl.slice(typeUrl.lastIndexOf("/") + 1),
		value,
	}));
	return error;
}
