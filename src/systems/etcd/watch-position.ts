import { Code, ConnectError } from "@connectrpc/connect";
import type { ResponseHeader, WatchResponse } from "./gen/etcd/etcd_pb.ts";

/** How much of the history of a store has been told. */
export interface Position {
	/** Another one is another store. */
	readonly clusterId: bigint;
	revision: bigint;
}

/** That of an answer that tells everything. */
export function positionOf(header: ResponseHeader | undefined): Position {
	return {
		clusterId: header?.clusterId ?? 0n,
		revision: header?.revision ?? 0n,
	};
}

/**
 * Another store, or an earlier state of it; a member that lags behind looks like
 * one. etcd's own proxy does not always say which store it is.
 */
export function isElsewhere(
	header: ResponseHeader | undefined,
	position: Position,
): boolean {
	const { clusterId, revision } = positionOf(header);
	const isOther = clusterId !== 0n && clusterId !== position.clusterId;
	return isOther || revision < position.revision;
}

/** The error that a cancelled watch stands for; etcd tells it as text. */
export function cancelled({
	compactRevision,
	cancelReason,
}: WatchResponse): Error {
	if (compactRevision > 0n) {
		return new ConnectError(
			"etcdserver: mvcc: required revision has been compacted",
			Code.OutOfRange,
		);
	}
	const [, name = "Unknown", text = cancelReason] =
		/^rpc error: code = (\w+) desc = (.*)$/s.exec(cancelReason) ?? [];
	const code = Code[name as keyof typeof Code] ?? Code.Unknown;
	return new ConnectError(
		text === "" ? "etcd cancelled the watch" : text,
		code,
	);
}
