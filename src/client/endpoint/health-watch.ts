import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { Code } from "@connectrpc/connect";
import { Backoff } from "../../policy/backoff.ts";
import type { Clock, Timer } from "../../policy/clock.ts";
import type {
	CallEnd,
	CallListener,
	ClientCall,
	ClientConnection,
} from "../../wire/connection.ts";
import { GzipTurns } from "../../wire/gzip/gzip-turns.ts";
import type { RawHeaders } from "../../wire/headers.ts";
import { appendMetadata } from "../../wire/metadata.ts";
import { PreparedHead } from "../../wire/prepared-head.ts";
import type { ChannelOptions } from "../options/channel-options.ts";

/** What an endpoint says of itself: "ready" is SERVING, "connecting" has not said anything yet. */
export type Health =
	| { readonly state: "connecting" | "ready" }
	| { readonly state: "transientFailure"; readonly error: Error };

/** What a watch of health needs of its channel. */
export interface HealthSetting {
	readonly clock: Clock;
	readonly random: () => number;
	readonly scheme: "http" | "https";
	readonly authority: string;
	readonly userAgent: string;
	readonly credentials: ChannelOptions["credentials"];
}

const SERVICE = "grpc.health.v1.Health";
const METHOD = "Watch";

/** HealthCheckResponse.ServingStatus (grpc/health/v1/health.proto). */
const STATUSES = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"];
const SERVING = 1;

/** Of a response, in bytes: it holds one number. */
const MAX_BYTES = 1024;

/** Of all watches: what they receive is small. */
const GZIP = new GzipTurns();

/**
 * Watches on one connection whether a service of its server is serving (gRFC A17): a stream that stays open, and is
 * opened again with backoff when it breaks. It keeps neither the process nor the connection.
 */
export class HealthWatch implements CallListener {
	readonly connection: ClientConnection;
	readonly #name: string;
	readonly #service: string;
	readonly #setting: HealthSetting;
	readonly #onHealth: (health: Health) => void;
	readonly #backoff: Backoff;
	#call: ClientCall | undefined;
	#timer: Timer;
	#startedAt = 0;
	#stopped = false;

	/** `name`: of the endpoint, for messages. `service`: "" is the server as a whole. */
	constructor(
		connection: ClientConnection,
		name: string,
		service: string,
		setting: HealthSetting,
		onHealth: (health: Health) => void,
	) {
		this.connection = connection;
		this.#name = name;
		this.#service = service;
		this.#setting = setting;
		this.#onHealth = onHealth;
		this.#backoff = new Backoff(setting.random);
		void this.#start();
	}

	/** Nothing is told any more. */
	stop(): void {
		this.#stopped = true;
		this.#setting.clock.cancel(this.#timer);
		this.#call?.cancel();
	}

	headers(): void {}

	writable(): void {}

	message(message: Uint8Array): void {
		this.#backoff.reset();
		let status: number;
		try {
			status = statusOf(message);
		} catch (error) {
			this.#call?.cancel();
			this.#broken(`its answer cannot be read: ${(error as Error).message}`);
			return;
		}
		this.#onHealth(
			status === SERVING
				? { state: "ready" }
				: this.#sick(`says ${STATUSES[status] ?? status}`),
		);
	}

	end({ code, message }: CallEnd): void {
		if (this.#stopped) return;
		// A server without the service is not asked again, and taken for healthy.
		if (code === Code.Unimplemented) this.#onHealth({ state: "ready" });
		else this.#broken(message || `the watch ended with status ${code}`);
	}

	async #start(): Promise<void> {
		this.#startedAt = this.#setting.clock.now();
		let credentials: RawHeaders = [];
		try {
			if (this.#setting.credentials) credentials = await this.#authorize();
		} catch (error) {
			if (!this.#stopped) {
				this.#broken(`no credentials: ${(error as Error).message}`);
			}
			return;
		}
		if (this.#stopped) return;
		this.#call = this.connection.start(
			{
				head: this.#head(),
				timeout: undefined,
				metadata: credentials,
				maxMessageBytes: MAX_BYTES,
				inflations: GZIP.inflations,
				purpose: "watch",
				request: requestOf(this.#service),
				isRequestCompressed: false,
			},
			this,
		);
	}

	#broken(why: string): void {
		this.#call = undefined;
		this.#onHealth(this.#sick(`cannot be asked: ${why}`));
		if (this.#stopped) return;
		const { clock } = this.#setting;
		// From start to start: one that was answered and has lasted is followed at once.
		const waitMs = this.#startedAt + this.#backoff.next() - clock.now();
		this.#timer = clock.afterIdle(Math.max(waitMs, 0), () => {
			this.#onHealth({ state: "connecting" });
			if (!this.#stopped) void this.#start();
		});
	}

	#sick(how: string): Health {
		const of = this.#service === "" ? "" : ` of ${this.#service}`;
		const error = new Error(`${this.#name} is not healthy${of}: it ${how}`);
		return { state: "transientFailure", error };
	}

	#head(): PreparedHead {
		const { scheme, authority, userAgent } = this.#setting;
		return new PreparedHead({
			scheme,
			authority,
			path: `/${SERVICE}/${METHOD}`,
			userAgent,
			acceptEncoding: undefined,
			encoding: undefined,
		});
	}

	async #authorize(): Promise<RawHeaders> {
		const given = await this.#setting.credentials?.({
			service: SERVICE,
			method: METHOD,
			header: new Headers(),
			deadline: undefined,
		});
		const encoded: string[] = [];
		appendMetadata(encoded, new Headers(given), undefined);
		return encoded;
	}
}

/** HealthCheckRequest: `string service = 1`. */
function requestOf(service: string): Uint8Array {
	const writer = new BinaryWriter();
	if (service !== "") writer.tag(1, WireType.LengthDelimited).string(service);
	return writer.finish();
}

/** HealthCheckResponse: `ServingStatus status = 1`. */
function statusOf(message: Uint8Array): number {
	const reader = new BinaryReader(message);
	let status = 0;
	while (reader.pos < reader.len) {
		const [field, type] = reader.tag();
		if (field === 1 && type === WireType.Varint) status = reader.int32();
		else reader.skip(type, field);
	}
	return status;
}
