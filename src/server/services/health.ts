import type { MessageInitShape } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { AsyncQueue, type QueueOwner } from "../../wire/async-queue.ts";
import {
	type HealthCheckRequest,
	type HealthCheckResponseSchema,
	HealthCheckResponse_ServingStatus as Status,
} from "../gen/grpc/health/v1/health_pb.ts";
import type { HealthServer } from "../gen/grpc/health/v1/health_rpc.ts";

type Response = MessageInitShape<typeof HealthCheckResponseSchema>;

/**
 * The health service, grpc.health.v1.Health: says which services can be called at the moment. "" is the server as a whole.
 * https://github.com/grpc/grpc/blob/master/doc/health-checking.md
 */
export class HealthService implements HealthServer {
	readonly #serving: Map<string, boolean> = new Map([["", true]]);
	readonly #watches: Set<Watch> = new Set();
	#end: ConnectError | undefined;
	#stopped = false;

	/** Whether each service is serving. */
	get statuses(): Record<string, boolean> {
		return Object.fromEntries(this.#serving);
	}

	/** Adds a service. It is serving, unless `setServing` has said otherwise before. */
	add(service: string): void {
		if (!this.#serving.has(service)) this.setServing(service, true);
	}

	/** Sets whether a service is serving. Has no effect after `stop`. */
	setServing(service: string, serving: boolean): void {
		if (this.#stopped) return;
		this.#serving.set(service, serving);
		this.#tell();
	}

	/** From now on no service is serving. */
	stop(): void {
		for (const service of this.#serving.keys()) {
			this.#serving.set(service, false);
		}
		this.#stopped = true;
		this.#tell();
	}

	/** Fails all watches, which would never end by themselves, after they have sent the last status. */
	endWatches(reason: ConnectError): void {
		this.#end = reason;
		for (const watch of this.#watches) watch.end(reason);
		this.#watches.clear();
	}

	check({ service }: HealthCheckRequest): Response {
		const status = this.#statusOf(service);
		if (status === Status.SERVICE_UNKNOWN) {
			throw new ConnectError(
				`this server knows no service "${service}"`,
				Code.NotFound,
			);
		}
		return { status };
	}

	list(): { statuses: Record<string, Response> } {
		const statuses: Record<string, Response> = {};
		for (const service of this.#serving.keys()) {
			statuses[service] = { status: this.#statusOf(service) };
		}
		return { statuses };
	}

	watch({ service }: HealthCheckRequest): AsyncIterable<Response> {
		const watch = new Watch(service, () => this.#watches.delete(watch));
		watch.tell(this.#statusOf(service));
		if (this.#end === undefined) this.#watches.add(watch);
		else watch.end(this.#end);
		return watch;
	}

	#statusOf(service: string): Status {
		const serving = this.#serving.get(service);
		if (serving === undefined) return Status.SERVICE_UNKNOWN;
		return serving ? Status.SERVING : Status.NOT_SERVING;
	}

	#tell(): void {
		for (const watch of this.#watches) {
			watch.tell(this.#statusOf(watch.service));
		}
	}
}

/** The statuses of one service for one client; if the client reads too slowly, only the newest. */
class Watch
	implements
		QueueOwner<Status, Response>,
		AsyncIterableIterator<Response, undefined>
{
	readonly service: string;
	readonly #onReturn: () => void;
	readonly #queue = new AsyncQueue<Status, Response>(this);
	#told: Status | undefined;

	/** `onReturn`: the client has left. */
	constructor(service: string, onReturn: () => void) {
		this.service = service;
		this.#onReturn = onReturn;
	}

	[Symbol.asyncIterator](): this {
		return this;
	}

	next(): Promise<IteratorResult<Response, undefined>> {
		return this.#queue.next();
	}

	return(): Promise<IteratorResult<Response, undefined>> {
		this.#onReturn();
		return this.#queue.return();
	}

	/** Replaces a status that still waits. One that the client has read last is not told again. */
	tell(status: Status): void {
		this.#queue.clear();
		if (status !== this.#told) this.#queue.push(status);
	}

	/** Fails the watch, after the status that waits. */
	end(reason: ConnectError): void {
		this.#queue.fail(reason);
	}

	/** The client reads a status. */
	open(status: Status): Response {
		this.#told = status;
		return { status };
	}
}
