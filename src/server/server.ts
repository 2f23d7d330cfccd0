import type { DescService } from "@bufbuild/protobuf";
import { Code, ConnectError, type ServiceImpl } from "@connectrpc/connect";
import { onlyDefined } from "../checks/only-defined.ts";
import { checkOptions } from "../checks/option-table.ts";
import type {
	Instance,
	Registration,
	Registry,
} from "../discovery/registry.ts";
import { formatAddress } from "../discovery/targets/address.ts";
import type { ServiceRegistrar } from "../generated.ts";
import { type Clock, systemClock } from "../policy/clock.ts";
import type { GzipCounts } from "../wire/gzip/gzip-turns.ts";
import { outsideScopes } from "./call/scopes.ts";
import { Connections } from "./connections/connections.ts";
import { type CallCounts, Dispatcher } from "./dispatcher.ts";
import { RegisterHealthServer } from "./gen/grpc/health/v1/health_rpc.ts";
import { Announcements, reachableAt } from "./lifecycle/announcements.ts";
import { onSignal } from "./lifecycle/signals.ts";
import { Refusals } from "./limits/refusals.ts";
import { ResetBudget } from "./limits/reset-budget.ts";
import { parseListenAddress } from "./listening/listen-address.ts";
import { type Listener, listenAt } from "./listening/listener.ts";
import { debugLog, inLine } from "./options/debug-log.ts";
import { tellHook } from "./options/error-hook.ts";
import {
	type ServerOptions,
	type ServerSettings,
	serverSettings,
} from "./options/server-options.ts";
import {
	type ShutdownOptions,
	shutdownOptions,
} from "./options/shutdown-options.ts";
import { Routes } from "./routes.ts";
import { HealthService } from "./services/health.ts";

/** How long a shutdown waits for the last answers to be sent, in milliseconds. */
const FLUSH_MS = 500;

/**
 * How long a shutdown by a signal may take in total, in milliseconds, unless its options allow more. Docker, for example, kills a
 * container after ten seconds.
 */
const SIGNAL_MS = 8_000;

/** How long a registry may take to remove a server, in milliseconds. */
const WITHDRAW_MS = 5_000;

/** What `Server.snapshot` returns. It does not change later. */
export interface ServerSnapshot extends GzipCounts {
	/** The state of the server. */
	readonly state: "serving" | "shuttingDown" | "shutDown";
	/** The addresses at which it listens. */
	readonly addresses: readonly string[];
	/** The full names of its services. */
	readonly services: readonly string[];
	/** Whether the health service reports each of them as serving. "" is the server as a whole. */
	readonly serving: Readonly<Record<string, boolean>>;
	/** The number of connected clients. */
	readonly connections: number;
	/** How many calls there were. */
	readonly calls: CallCounts;
	/** Bytes of request messages, complete or not, that wait to be read by handlers. */
	readonly unreadRequestBytes: number;
	/** How often something was refused or cut off, by the first word that `onRefused` gets: `{ handshakeTimeout: 2 }`. */
	readonly refused: Readonly<Record<string, number>>;
}

/**
 * A gRPC server: serves services at one or several addresses.
 *
 * ```ts
 * const server = new Server({ handleSignals: true });
 * RegisterPaymentServer(server, { create: (request) => ({ billId: 42n }) });
 * await server.listen("127.0.0.1:50051");
 * ```
 */
export class Server implements ServiceRegistrar, AsyncDisposable {
	readonly #settings: ServerSettings;
	readonly #clock: Clock = systemClock;
	readonly #refusals: Refusals;
	readonly #routes: Routes;
	readonly #dispatcher: Dispatcher;
	readonly #connections: Connections;
	readonly #health = new HealthService();
	readonly #announcements = new Announcements();
	readonly #listeners: Set<Listener> = new Set();
	#state: ServerSnapshot["state"] = "serving";
	#shutdown: Promise<void> | undefined;
	#ignoreSignals: (() => void) | undefined;

	/** @throws OptionError (a TypeError) that names an unknown option or a bad value */
	constructor(options: ServerOptions = {}) {
		const settings = serverSettings(options);
		this.#settings = settings;
		this.#refusals = new Refusals(settings.onRefused);
		this.#routes = new Routes(settings.interceptors);
		const dispatcher = new Dispatcher(
			this.#clock,
			settings,
			this.#routes,
			this.#refusals,
			(peer) => this.#connections.probe(peer),
		);
		this.#dispatcher = dispatcher;
		this.#connections = new Connections({
			clock: this.#clock,
			tls: settings.tls,
			maxConcurrentStreams: settings.maxConcurrentStreams,
			maxMetadataBytes: settings.maxMetadataBytes,
			handshakeTimeoutMs: settings.handshakeTimeoutMs,
			liveness: settings,
			refusals: this.#refusals,
			resets: new ResetBudget(this.#clock),
			onCall: (call, headers, peer) => dispatcher.dispatch(call, headers, peer),
			onTlsFailure: (error) => this.#report(error),
		});
		if (settings.health) RegisterHealthServer(this, this.#health);
	}

	/**
	 * Adds a service. This also works while the server listens. Methods that the implementation does not have answer
	 * UNIMPLEMENTED. The generated `Register…Server` functions call it.
	 *
	 * @throws Error for a service that was added before
	 * @throws TypeError if the implementation has no method of the service, or one that is not a function
	 */
	add<S extends DescService>(
		service: S,
		implementation: Partial<ServiceImpl<S>>,
	): this {
		this.#routes.add(service, implementation);
		this.#health.add(service.typeName);
		return this;
	}

	/**
	 * Listens at an address: "127.0.0.1:50051", "[::]:50051", "localhost:50051" (at each address of the name), "unix:path"
	 * or "unix-abstract:name". Port 0 is any free port. It can be called several times, for several addresses.
	 *
	 * Resolves with the address, as a target for clients, and the port (0 for a Unix socket). If a dead process has left
	 * the file of a Unix socket behind, it is replaced. The file is removed at shutdown.
	 *
	 * @throws OptionError for an invalid address or bad TLS options
	 * @throws Error that says why listening failed, with the system's `code` (such as "EADDRINUSE") and its error as the
	 * `cause`
	 * @throws Error if the server has been shut down
	 */
	async listen(address: string): Promise<{ address: string; port: number }> {
		const parsed = parseListenAddress(address);
		this.#refuseIfShutDown();
		await this.#connections.check();
		const listener = await outsideScopes(() =>
			listenAt(parsed, (socket) => this.#connections.accept(socket)),
		);
		if (this.#shutdown !== undefined) {
			listener.close();
			this.#refuseIfShutDown();
		}
		this.#listeners.add(listener);
		this.#listenToSignals();
		const at = formatAddress(listener.address);
		debugLog("server: listening at %s", at);
		return {
			address: at,
			port: listener.address.kind === "tcp" ? listener.address.port : 0,
		};
	}

	/**
	 * Registers the server in a registry. By default, the instance has the port of the first address at which the server
	 * listens, and its host unless that is a wildcard. The server is removed from the registry when it shuts down, or when the
	 * returned registration is disposed.
	 *
	 * @throws Error if the server does not listen at a TCP port yet and `instance` has no `port`
	 * @throws what the registry throws
	 */
	async announce(
		registry: Registry,
		instance: Partial<Instance> & { name: string },
	): Promise<Registration> {
		this.#refuseIfShutDown();
		const reachable = reachableAt(this.#listeners);
		const port = instance.port ?? reachable?.port;
		if (port === undefined) {
			throw new Error(
				`cannot announce ${instance.name}: the server listens on no TCP port; listen first, or name a port`,
			);
		}
		return this.#announcements.announce(registry, {
			...reachable,
			...onlyDefined(instance),
			name: instance.name,
			port,
		});
	}

	/**
	 * Sets whether the health service reports a service as serving, by its full name. "" is the server as a whole. Services
	 * are serving when they are added. It has no effect during and after shutdown.
	 */
	setServing(service: string, serving: boolean): void {
		this.#health.setServing(service, serving);
	}

	/** Describes the server at this moment, for logs, metrics and debugging. */
	snapshot(): ServerSnapshot {
		return {
			state: this.#state,
			addresses: [...this.#listeners].map(({ address }) =>
				formatAddress(address),
			),
			services: this.#routes.services,
			serving: this.#health.statuses,
			connections: this.#connections.size,
			calls: this.#dispatcher.counts,
			refused: this.#refusals.counts,
			unreadRequestBytes: this.#dispatcher.unreadRequestBytes,
			...this.#dispatcher.gzip.counts,
		};
	}

	/**
	 * Shuts the server down gracefully. The health service reports NOT_SERVING, the server leaves its registries, accepts no
	 * more connections, and tells its clients to send no more calls (GOAWAY). Calls in flight may finish; those that are left
	 * after `graceMs` fail with UNAVAILABLE. Later calls return the same promise. It never rejects: errors go to `onError`.
	 *
	 * @throws OptionError for bad options
	 */
	shutdown(options: ShutdownOptions = {}): Promise<void> {
		checkOptions(options, shutdownOptions);
		return this.#shutDownBy(Infinity, options);
	}

	/** The same as `shutdown()`, for `await using`. */
	[Symbol.asyncDispose](): Promise<void> {
		return this.shutdown();
	}

	#shutDownBy(endBy: number, options: ShutdownOptions): Promise<void> {
		const { graceMs = 10_000, propagationMs = 0 } = options;
		// It starts later, so that code which it calls can ask for the same promise.
		this.#shutdown ??= Promise.resolve().then(() =>
			this.#shutDown(graceMs, propagationMs, endBy),
		);
		return this.#shutdown;
	}

	/** @param endBy when it must be over, on the server's clock */
	async #shutDown(
		graceMs: number,
		propagationMs: number,
		endBy: number,
	): Promise<void> {
		this.#state = "shuttingDown";
		debugLog("server: shutting down");
		this.#health.stop();
		await this.#withdraw();
		if (propagationMs > 0) await this.#wait(propagationMs);
		for (const listener of this.#listeners) listener.close();
		this.#listeners.clear();
		this.#health.endWatches(shuttingDown());
		const drained = this.#connections.close();
		const leftMs = endBy - this.#clock.now() - 2 * FLUSH_MS;
		await this.#wait(Math.max(0, Math.min(graceMs, leftMs)), drained);
		this.#dispatcher.close(shuttingDown());
		await this.#wait(FLUSH_MS, drained);
		this.#connections.destroy();
		await drained;
		this.#ignoreSignals?.();
		this.#state = "shutDown";
		debugLog("server: shut down");
	}

	async #withdraw(): Promise<void> {
		const withdrawn = this.#announcements.withdraw(shuttingDown(), (error) =>
			this.#report(error),
		);
		await this.#wait(WITHDRAW_MS, withdrawn);
	}

	/** Resolves after `ms`, or when `done` does. */
	#wait(ms: number, done?: Promise<void>): Promise<void> {
		return new Promise((resolve) => {
			const timer = this.#clock.after(ms, resolve);
			void done?.then(() => {
				this.#clock.cancel(timer);
				resolve();
			});
		});
	}

	#listenToSignals(): void {
		const { onSignals } = this.#settings;
		if (onSignals === undefined) return;
		const { graceMs = 0, propagationMs = 0 } = onSignals;
		const withinMs = Math.max(
			SIGNAL_MS,
			propagationMs + graceMs + 2 * FLUSH_MS,
		);
		this.#ignoreSignals ??= onSignal({
			clock: this.#clock,
			withinMs,
			shutDown: () => this.#shutDownBy(this.#clock.now() + withinMs, onSignals),
		});
	}

	#refuseIfShutDown(): void {
		if (this.#shutdown !== undefined) {
			throw new Error(
				"this server has been shut down, and serves no more; make another one",
			);
		}
	}

	/** Reports an error that did not occur in a call. */
	#report(error: unknown): void {
		debugLog("server: %s", inLine(error));
		tellHook(this.#settings.onError, error, { service: "", method: "" });
	}
}

function shuttingDown(): ConnectError {
	return new ConnectError("the server is shutting down", Code.Unavailable);
}
