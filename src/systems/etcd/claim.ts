import type { EtcdClient, Limits } from "./etcd-client.ts";
import {
	Compare_CompareResult,
	Compare_CompareTarget,
} from "./gen/etcd/etcd_pb.ts";
import { keyBytes } from "./key-range.ts";

/** A key and its value, to be stored under a lease. */
export interface Claim {
	readonly key: string;
	readonly value: string;
	readonly lease: bigint;
}

const result = Compare_CompareResult.EQUAL;

/** Puts the key, even if another process has put it. */
export async function putClaim(
	client: EtcdClient,
	{ key, value, lease }: Claim,
	limits: Limits,
): Promise<void> {
	const request = { key: keyBytes(key), value: keyBytes(value), lease };
	await client.put(request, limits);
}

/** Puts the key unless it exists. Resolves with the lease that the key then has; 0 means no lease. */
export async function putClaimIfFree(
	client: EtcdClient,
	claim: Claim,
	limits: Limits,
): Promise<bigint> {
	const { lease } = claim;
	const key = keyBytes(claim.key);
	const put = { key, value: keyBytes(claim.value), lease };
	const isFree = {
		result,
		key,
		target: Compare_CompareTarget.CREATE,
		targetUnion: { case: "createRevision", value: 0n },
	} as const;
	const { succeeded, responses } = await client.txn(
		{
			compare: [isFree],
			success: [{ request: { case: "requestPut", value: put } }],
			failure: [{ request: { case: "requestRange", value: { key } } }],
		},
		limits,
	);
	const [response] = responses;
	return succeeded || response?.response.case !== "responseRange"
		? lease
		: (response.response.value.kvs[0]?.lease ?? 0n);
}

/** Deletes the key if it is under the claim's lease. */
export async function deleteClaim(
	client: EtcdClient,
	claim: Claim,
	limits: Limits,
): Promise<void> {
	const key = keyBytes(claim.key);
	const isOurs = {
		result,
		key,
		target: Compare_CompareTarget.LEASE,
		targetUnion: { case: "lease", value: claim.lease },
	} as const;
	const success = [
		{ request: { case: "requestDeleteRange", value: { key } } } as const,
	];
	await client.txn({ compare: [isOurs], success }, limits);
}
