import type { DescService } from "@bufbuild/protobuf";
import { Code, ConnectError, type ServiceImpl } from "@connectrpc/connect";
import { formatAddress } from "../discovery/address.ts";
import type { ServiceRegistrar } from "../generated.ts";
import { type Clock, systemClock } from "../policy/clock.ts";
import { checkOptions } from "../policy/option-table.ts";
import { Connections } from "./connections.ts";
import { Dispatcher } from "./dispatcher.ts";
import { tellHook } from "./error-hook.ts";
import { parseListenAddress } from "./listen-address.ts";
import { type Listener, listenAt } from "./listener.ts";
import { Routes } from "./routes.ts";
import { outsideScopes } from "./scopes.ts";
import {
	DEFAULT_GRACE_MS,
	grace,
	type ServerOptions,
	serverSettings,
} from "./server-options.ts";

/** Time for the last answers to leave, in milliseconds. */
const FLUSH_MS = 500;

/** Serves gRPC: services, at one or several addresses. */
export class Server implements ServiceRegistrar, AsyncDisposable {
	readonly #clock: Clock = systemClock;
	readonly #routes: Routes;
	readonly #dispatcher: Dispatcher;
	readonly #connections: Connections;
	readonly #listeners: Set<Listener> = new Set();
	#shutdown: Promise<void> | undefined;

	/** @throws PolicyError (a TypeError) for an unknown option and for a bad value, naming it */
	constructor(options: ServerOptions = {}) {
		const settings = serverSettings(options);
		const routes = new Routes(settings.interceptors);
		const dispatcher = new Dispatcher(this.#clock, settings, routes);
		this.#routes = routes;
		this.#dispatcher = dispatcher;
		this.#connections = new Connections({
			clock: this.#clock,
			tls: settings.tls,
			maxConcurrentStreams: settings.maxConcurrentStreams,
			onStream: (stream, headers, peer) =>
				dispatcher.dispatch(stream, headers, peer),
			onTlsFailure: (error) =>
				tellHook(settings.onError, error, { service: "", method: "" }),
		});
	}

	add<S extends DescService>(
		service: S,
		implementation: Partial<ServiceImpl<S>>,
	): this {
		this.#routes.add(service, implementation);
		return this;
	}

	async listen(address: string): Promise<{ address: string; port: number }> {
		const parsed = parseListenAddress(address);
		if (this.#shutdown !== undefined) {
			throw new Error(
				"this server has been shut down and listens no more; make another one",
			);
		}
		await this.#connections.check();
		const listener = await outsideScopes(() =>
			listenAt(parsed, (socket) => this.#connections.accept(socket)),
		);
		this.#listeners.add(listener);
		return {
			address: formatAddress(listener.address),
			port: listener.address.kind === "tcp" ? listener.address.port : 0,
		};
	}

	snapshot(): object {
		return {
			addresses: [...this.#listeners].map(({ address }) =>
				formatAddress(address),
			),
			connections: this.#connections.size,
			calls: this.#dispatcher.counts,
		};
	}

	shutdown(options: { graceMs?: number } = {}): Promise<void> {
		checkOptions<{ graceMs?: number }>(options, { graceMs: grace });
		this.#shutdown ??= this.#shutDown(options.graceMs ?? DEFAULT_GRACE_MS);
		return this.#shutdown;
	}

	[Symbol.asyncDispose](): Promise<void> {
		return this.shutdown();
	}

	async #shutDown(graceMs: number): Promise<void> {
		for (const listener of this.#listeners) listener.close();
		const drained = this.#connections.close();
		await this.#atMost(graceMs, drained);
		this.#dispatcher.close(
			new ConnectError("the server shuts down", Code.Unavailable),
		);
		await this.#atMost(FLUSH_MS, drained);
		this.#connections.destroy();
		await drained;
	}

	/** Resolves when `done` does, but no later than `ms` from now. */
	#atMost(ms: number, done: Promise<void>): Promise<void> {
		return new Promise((resolve) => {
			const timer = this.#clock.after(ms, resolve);
			void done.then(() => {
				this.#clock.cancel(timer);
				resolve();
			});
		});
	}
}
