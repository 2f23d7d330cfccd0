import type { MessageInitShape } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import type { BidiStream } from "../../client/call/stream-handles.ts";
import { idleEnvironment } from "../../client/channel/channel-setting.ts";
import { Channel } from "../../client/channel.ts";
import { unlessAborted } from "../../client/endpoint/dial.ts";
import type { CallOptions } from "../../client/options/call-options.ts";
import { staticResolver } from "../../discovery/static.ts";
import { isTokenRefused } from "./errors.ts";
import type {
	LeaseGrantResponse,
	LeaseKeepAliveRequestSchema,
	LeaseKeepAliveResponse,
	PutRequestSchema,
	RangeRequestSchema,
	RangeResponse,
	TxnRequestSchema,
	TxnResponse,
	WatchRequestSchema,
	WatchResponse,
} from "./gen/etcd/etcd_pb.ts";
import {
	type AuthClient,
	type KVClient,
	type LeaseClient,
	NewAuthClient,
	NewKVClient,
	NewLeaseClient,
	NewWatchClient,
	type WatchClient,
} from "./gen/etcd/etcd_rpc.ts";
import type { EtcdSetting } from "./options.ts";

/** The limits of a call. */
export interface Limits {
	readonly signal?: AbortSignal | undefined;
	/** In milliseconds. Default: 5000. */
	readonly timeoutMs?: number | undefined;
}

/** An open Watch. */
export type WatchStream = BidiStream<
	MessageInitShape<typeof WatchRequestSchema>,
	WatchResponse
>;

/** An open LeaseKeepAlive. */
export type KeepAliveStream = BidiStream<
	MessageInitShape<typeof LeaseKeepAliveRequestSchema>,
	LeaseKeepAliveResponse
>;

type Login = NonNullable<EtcdSetting["login"]>;

const TIMEOUT_MS = 5000;

/** The limit for a message, the same as in etcd's own client: a list of many instances is one message. */
const MAX_BYTES = 2 ** 31 - 1;

/**
 * A client of one etcd cluster. Each call goes to any of its members. Calls reject
 * with a ConnectError, and do not keep the process alive.
 *
 * By the header `hasleader`, a member that has no leader refuses calls at once and
 * ends its streams, so that another member can be called.
 */
export class EtcdClient {
	readonly #setting: EtcdSetting;
	#stubs: Stubs;
	#token: Promise<string | undefined> | undefined;

	constructor(setting: EtcdSetting) {
		this.#setting = setting;
		this.#stubs = new Stubs(setting);
	}

	/** "host:port" of each member. */
	get hosts(): readonly string[] {
		return this.#setting.hosts;
	}

	range(
		request: MessageInitShape<typeof RangeRequestSchema>,
		limits?: Limits,
	): Promise<RangeResponse> {
		return this.#unary(limits, ({ kv }, options) => kv.range(request, options));
	}

	async put(
		request: MessageInitShape<typeof PutRequestSchema>,
		limits?: Limits,
	): Promise<void> {
		await this.#unary(limits, ({ kv }, options) => kv.put(request, options));
	}

	txn(
		request: MessageInitShape<typeof TxnRequestSchema>,
		limits?: Limits,
	): Promise<TxnResponse> {
		return this.#unary(limits, ({ kv }, options) => kv.txn(request, options));
	}

	leaseGrant(seconds: bigint, limits?: Limits): Promise<LeaseGrantResponse> {
		return this.#unary(limits, ({ lease }, options) =>
			lease.leaseGrant({ ttl: seconds }, options),
		);
	}

	async leaseRevoke(id: bigint, limits?: Limits): Promise<void> {
		await this.#unary(limits, ({ lease }, options) =>
			lease.leaseRevoke({ id }, options),
		);
	}

	async watch(signal: AbortSignal): Promise<WatchStream> {
		const headers = await this.#headers(signal);
		return this.#live.watch.watch.open({ headers, signal });
	}

	async leaseKeepAlive(signal: AbortSignal): Promise<KeepAliveStream> {
		const headers = await this.#headers(signal);
		return this.#live.lease.leaseKeepAlive.open({ headers, signal });
	}

	/** Drops the token, because etcd has refused it. The next call gets a new one. */
	forgetToken(): void {
		this.#token = undefined;
	}

	close(): Promise<void> {
		return this.#stubs.channel.close();
	}

	async #unary<T>(
		{ signal, timeoutMs = TIMEOUT_MS }: Limits = {},
		call: (stubs: Stubs, options: CallOptions) => Promise<T>,
	): Promise<T> {
		const once = async (): Promise<T> => {
			const headers = await this.#headers(signal);
			return call(this.#live, {
				headers,
				timeoutMs,
				...(signal && { signal }),
			});
		};
		try {
			return await once();
		} catch (error) {
			if (this.#setting.login === undefined || !isTokenRefused(error)) {
				throw error;
			}
			this.forgetToken();
			return once();
		}
	}

	/**
	 * The generated clients. If no member could be reached, this makes a new channel,
	 * because the old one waits longer and longer between attempts to connect, and
	 * the caller has its own backoff.
	 */
	get #live(): Stubs {
		if (this.#stubs.channel.state === "transientFailure") {
			void this.#stubs.channel.close({ graceMs: TIMEOUT_MS });
			this.#stubs = new Stubs(this.#setting);
		}
		return this.#stubs;
	}

	async #headers(
		signal: AbortSignal | undefined,
	): Promise<Record<string, string>> {
		const { login } = this.#setting;
		const asked = login && this.#tokenOf(login);
		const token = await (asked && signal
			? unlessAborted(asked, signal)
			: asked);
		return { hasleader: "true", ...(token !== undefined && { token }) };
	}

	#tokenOf(login: Login): Promise<string | undefined> {
		if (this.#token === undefined) {
			const asked = this.#authenticate(login);
			this.#token = asked;
			asked.catch(() => {
				if (this.#token === asked) this.#token = undefined;
			});
		}
		return this.#token;
	}

	async #authenticate({ user, password }: Login): Promise<string | undefined> {
		try {
			const { token } = await this.#live.auth.authenticate(
				{ name: user, password },
				{ headers: { hasleader: "true" }, timeoutMs: TIMEOUT_MS },
			);
			return token;
		} catch (error) {
			// While authentication is switched off, etcd accepts everybody without a token.
			if (isAuthOff(error)) return undefined;
			throw error;
		}
	}
}

function isAuthOff(error: unknown): boolean {
	return (
		error instanceof ConnectError &&
		error.code === Code.FailedPrecondition &&
		error.rawMessage.includes("authentication is not enabled")
	);
}

/** The generated clients, on one channel to all members. */
class Stubs {
	readonly channel: Channel;
	readonly kv: KVClient;
	readonly watch: WatchClient;
	readonly lease: LeaseClient;
	readonly auth: AuthClient;

	constructor({ hosts, tls }: EtcdSetting) {
		this.channel = new Channel(
			staticResolver(hosts),
			{
				balancer: "round_robin",
				connectTimeout: "2s",
				// Finds a member that hangs while a watch has no changes to report.
				keepalive: { time: "10s", timeout: "3s" },
				...(tls && { tls }),
				...(hosts[0] !== undefined && { authority: hosts[0] }),
			},
			idleEnvironment,
		);
		this.kv = NewKVClient(this.channel, { maxResponseMessageBytes: MAX_BYTES });
		this.watch = NewWatchClient(this.channel, {
			maxResponseMessageBytes: MAX_BYTES,
		});
		this.lease = NewLeaseClient(this.channel);
		this.auth = NewAuthClient(this.channel);
	}
}
