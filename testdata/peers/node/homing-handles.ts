/** homing's client as a peer that uses stream handles, as in Go. */

import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
	type Call,
	CallSchema,
	type Instruction,
	type Outcome,
	OutcomeSchema,
	type Reply,
} from "../gen/peer_pb.ts";
import type { PeerClient } from "../gen/peer_rpc.ts";
import { optionsOf, report } from "./connect-calls.ts";
import type { RunningClient } from "./peer.ts";
import { Progress } from "./progress.ts";
import { fromHeaders, received, requestOf } from "./words.ts";

/** Makes streaming calls over handles, and leaves the other calls to `rest`. */
export function handlePerformer(
	peer: PeerClient,
	rest: RunningClient["perform"],
): RunningClient["perform"] {
	return (init: MessageInitShape<typeof CallSchema>) => {
		const call = create(CallSchema, init);
		switch (call.method) {
			case "ServerStream":
				return performServerStream(peer, call);
			case "ClientStream":
				return performClientStream(peer, call);
			case "BidiStream":
				return performBidiStream(peer, call);
			default:
				return rest(init);
		}
	};
}

async function performServerStream(
	peer: PeerClient,
	call: Call,
): Promise<Outcome> {
	const stream = peer.serverStream(requestOf(call, 0), optionsOf(call));
	return conclude(peer, call, stream, () => receiveAll(stream));
}

async function performClientStream(
	peer: PeerClient,
	call: Call,
): Promise<Outcome> {
	const stream = peer.clientStream.open(optionsOf(call));
	return conclude(peer, call, stream, async function* () {
		await feed(call, stream, new Progress());
		// A request stream that is held open ends only after the server has ended the call.
		if (call.holdOpen) await stream.trailer.catch(() => undefined);
		yield await stream.closeAndRecv();
	});
}

async function performBidiStream(
	peer: PeerClient,
	call: Call,
): Promise<Outcome> {
	const stream = peer.bidiStream.open(optionsOf(call));
	return conclude(peer, call, stream, async function* (progress) {
		void feed(call, stream, progress);
		yield* receiveAll(stream);
	});
}

interface Handle {
	readonly header: Promise<Headers>;
	readonly trailer: Promise<Headers>;
	cancel(): void;
}

/** Collects the outcome of a call, and cancels the call if its instructions say so. */
async function conclude(
	peer: PeerClient,
	call: Call,
	stream: Handle,
	replies: (progress: Progress) => AsyncIterable<Reply>,
): Promise<Outcome> {
	const outcome = create(OutcomeSchema, { status: {} });
	const progress = new Progress();
	if (call.cancelWhenStarted !== "") {
		peer.witness({ key: call.cancelWhenStarted }).then(() => stream.cancel());
	}
	try {
		for await (const reply of replies(progress)) {
			outcome.replies.push(received(reply));
			progress.replied();
			if (progress.replies === call.cancelAfterReplies) stream.cancel();
		}
		outcome.trailers = fromHeaders(await stream.trailer);
	} catch (error) {
		report(error, outcome);
	} finally {
		progress.end();
	}
	await stream.header.then(
		(headers) => {
			outcome.headers = fromHeaders(headers);
		},
		() => undefined,
	);
	return outcome;
}

async function* receiveAll(stream: {
	recv(): Promise<Reply | undefined>;
}): AsyncIterable<Reply> {
	for (;;) {
		const reply = await stream.recv();
		if (reply === undefined) return;
		yield reply;
	}
}

/** Sends the requests and half-closes, unless the call ends before. */
async function feed(
	call: Call,
	stream: {
		send(request: Instruction): Promise<void>;
		closeSend?(): Promise<void>;
	},
	progress: Progress,
): Promise<void> {
	try {
		for (const index of call.requests.keys()) {
			if (call.takeTurns) await progress.reaches(index);
			if (progress.ended) return;
			await stream.send(requestOf(call, index));
		}
		if (!call.holdOpen) await stream.closeSend?.();
	} catch {
		// The receiving side reports how the call ended.
	}
}
