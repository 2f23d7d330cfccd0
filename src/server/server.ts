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
import type { GzipCounts } from "../wire/gzip-turns.ts";
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

/** Time for the last answers to leave, in milliseconds. */
const FLUSH_MS = 500;

/**
 * How long a shutdown by a signal may take in all, in milliseconds, unless its options ask for more: Docker, for one, kills
 * after ten seconds.
 */
const SIGNAL_MS = 8_000;

/** How long a registry may take to forget a server, in milliseconds. */
const WITHDRAW_MS = 5_000;

/** What `Server.snapshot` returns: copies, which do not change. */
export interface ServerSnapshot extends GzipCounts {
	readonly state: "serving" | "shuttingDown" | "shutDown";
	/** Where it listens. */
	readonly addresses: readonly string[];
	/** Full names. */
	readonly services: readonly string[];
	/** What the health service says of each; "" is the server. */
	readonly serving: Readonly<Record<string, boolean>>;
	/** Clients that are connected. */
	readonly connections: number;
	readonly calls: CallCounts;
	/** Of request messages, whole or not, that wait to be read by a handler. */
	readonly unreadRequestBytes: number;
	/** How often something was refused, or cut off, by what `onRefused` is told first: { handshakeTimeout: 2 }. */
	readonly refused: Readonly<Record<string, number>>;
}

/**
 * Serves gRPC: services, at one or several addresses.
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

	/** @throws OptionError (a TypeError) for an unknown option or a bad value, naming it */
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
			(peer) => this.#connections.doubt(peer),
		);
		this.#dispatcher = dispatcher;
		this.#connections = new Connections({
			clock: this.#clock,
			tls: settings.tls,
			maxConcurrentStreams: settings.maxConcurrentStreams,
			maxMetadataBytes: settings.maxMetadataBytes,
			handshakeTimeoutMs: settings.handshakeTimeoutMs,
			presence: settings,
			refusals: this.#refusals,
			resets: new ResetBudget(this.#clock),
			onCall: (call, headers, peer) => dispatcher.dispatch(call, headers, peer),
			onTlsFailure: (error) => this.#report(error),
		});
		if (settings.health) RegisterHealthServer(this, this.#health);
	}

	/**
	 * Serves a service, from now on; also while the server listens. Methods that the implementation lacks answer
	 * UNIMPLEMENTED.
	 *
	 * @throws Error for a service that was added before
	 * @throws TypeError for an implementation with none of the service's methods, or with something else than functions
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
	 * Listens at "127.0.0.1:50051", "[::]:50051", "localhost:0" (at each address of the name; port 0: any free one),
	 * "unix:path" or "unix-abstract:name". May be called several times.
	 *
	 * Resolves with the address, as a client may dial it, and its port (0 for a unix socket). The file of a unix socket
	 * that a dead process has left behind is replaced, and removed at shutdown.
	 *
	 * @throws OptionError for what is no address, or for bad TLS options
	 * @throws Error that says what is in the way, with the system's `code` ("EADDRINUSE") and error (`cause`); and for a
	 * server that has been shut down
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
		this.#heedSignals();
		const at = formatAddress(listener.address);
		debugLog("server: listening at %s", at);
		return {
			address: at,
			port: listener.address.kind === "tcp" ? listener.address.port : 0,
		};
	}

	/**
	 * Makes the server known in a registry: by default with the port, and with the host if it is not a wildcard, of the
	 * first address that it listens at. Shutdown takes it out again, and so does disposing what is returned.
	 *
	 * @throws Error before `listen`, unless the instance names a port, and what the registry throws
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
	 * What the health service says of a service, by its full name; "" is the server as a whole. Services are serving once
	 * they are added. Without effect during and after shutdown.
	 */
	setServing(service: string, serving: boolean): void {
		this.#health.setServing(service, serving);
	}

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
	 * Ends well: the health service says NOT_SERVING, registries forget the server, it accepts no more connections and
	 * asks its clients for no more calls (GOAWAY); calls in flight finish, and those left after `graceMs` fail with
	 * UNAVAILABLE. Whoever calls it again gets the same promise. It never rejects: what fails on the way is told to
	 * `onError`.
	 *
	 * @throws OptionError for bad options
	 */
	shutdown(options: ShutdownOptions = {}): Promise<void> {
		checkOptions(options, shutdownOptions);
		return this.#shutDownBy(Infinity, options);
	}

	[Symbol.asyncDispose](): Promise<void> {
		return this.shutdown();
	}

	#shutDownBy(endBy: number, options: ShutdownOptions): Promise<void> {
		const { graceMs = 10_000, propagationMs = 0 } = options;
		// Later, so that what hears of it may ask for this very promise.
		this.#shutdown ??= Promise.resolve().then(() =>
			this.#shutDown(graceMs, propagationMs, endBy),
		);
		return this.#shutdown;
	}

	/** `endBy`: on the server's clock. */
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

	#heedSignals(): void {
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

	/** Something has failed that is no call. */
	#report(error: unknown): void {
		debugLog("server: %s", inLine(error));
		tellHook(this.#settings.onError, error, { service: "", method: "" });
	}
}

function shuttingDown(): ConnectError {
	return new ConnectError("the server is shutting down", Code.Unavailable);
}
