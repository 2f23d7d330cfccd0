import { Code, ConnectError } from "@connectrpc/connect";
import type { ResponseHeader, WatchResponse } from "./gen/etcd/etcd_pb.ts";

/** Up to which revision of which cluster the changes are known. */
export interface Position {
	/** The id of the cluster. Revisions of different clusters cannot be compared. */
	readonly clusterId: bigint;
	revision: bigint;
}

/** The position of a response. */
export function positionOf(header: ResponseHeader | undefined): Position {
	return {
		clusterId: header?.clusterId ?? 0n,
		revision: header?.revision ?? 0n,
	};
}

/**
 * Whether a response comes from another cluster, or from an earlier state of the
 * same one. A member that lags behind looks like an earlier state. etcd's own
 * proxy does not always send the id of the cluster.
 */
export function isElsewhere(
	header: ResponseHeader | undefined,
	position: Position,
): boolean {
	const { clusterId, revision } = positionOf(header);
	const isOther = clusterId !== 0n && clusterId !== position.clusterId;
	return isOther || revision < position.revision;
}

/** Makes the error of a watch that etcd has canceled. etcd sends the error as text. */
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
