/** Several scripted servers, and a client of them with a fake clock, whose hooks record what happens. */

import type { ConnectError } from "@connectrpc/connect";
import type { Environment } from "../../src/client/channel/channel-setting.ts";
import type { Connect } from "../../src/client/endpoint/connect.ts";
import type { ClientOptions } from "../../src/client/options/client-options.ts";
import type { ClientHooks } from "../../src/client/options/hooks.ts";
import type {
	Endpoint,
	Resolution,
	Resolver,
} from "../../src/discovery/resolver.ts";
import { codeName } from "../../src/policy/code.ts";
import { EchoService } from "../services/gen/echo/echo_pb.ts";
import type { EchoServiceClient } from "../services/gen/echo/echo_rpc.ts";
import {
	type Answer,
	answering,
	fine,
	type ScriptedServer,
} from "./attempts.ts";
import { type ClientInTime, clientInTime } from "./client-in-time.ts";
import { FakeClock, settled } from "./fake-clock.ts";

/** One server, and how it answers calls from now on. */
export interface FleetServer extends ScriptedServer {
	readonly name: string;
	does: Answer;
}

/** Servers named "a", "b" and so on. They work normally unless a test changes that. */
export class Fleet implements AsyncDisposable {
	readonly servers: readonly FleetServer[];
	readonly #counted = new Map<FleetServer, number>();

	private constructor(servers: readonly FleetServer[]) {
		this.servers = servers;
	}

	static async of(names: string): Promise<Fleet> {
		const servers = await Promise.all(
			[...names].map(async (name) => {
				const server = await answering([(request) => own.does(request)]);
				const own: FleetServer = Object.assign(server, { name, does: fine });
				return own;
			}),
		);
		return new Fleet(servers);
	}

	get(name: string): FleetServer {
		const found = this.servers.find((server) => server.name === name);
		if (found === undefined) throw new Error(`no server ${name}`);
		return found;
	}

	/** Returns all servers, or the named ones. */
	endpoints(names = this.servers.map(({ name }) => name).join("")): Endpoint[] {
		return [...names].map((name) => ({ address: this.get(name).address }));
	}

	/** Returns the name of the server of an endpoint. */
	nameOf(endpoint: Endpoint): string {
		const at = String(endpoint.address);
		return this.servers.find(({ address }) => address === at)?.name ?? at;
	}

	/** Returns how many calls each server has got since the last time. */
	seen(): Record<string, number> {
		return Object.fromEntries(
			this.servers.map((server) => {
				const before = this.#counted.get(server) ?? 0;
				this.#counted.set(server, server.seen.length);
				return [server.name, server.seen.length - before];
			}),
		);
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await Promise.all(
			this.servers.map((server) => server[Symbol.asyncDispose]()),
		);
	}
}

/** A resolver that yields what a test tells it. */
export class ToldResolver implements Resolver {
	/** How often the channel has asked for a refresh. */
	refreshes = 0;
	readonly #told: Resolution[];
	#news = Promise.withResolvers<void>();

	constructor(...told: readonly Resolution[]) {
		this.#told = [...told];
	}

	tell(resolution: Resolution): void {
		this.#told.push(resolution);
		this.#news.resolve();
		this.#news = Promise.withResolvers();
	}

	async *watch({
		refresh,
	}: Parameters<Resolver["watch"]>[0]): AsyncIterable<Resolution> {
		const count = (): void => {
			this.refreshes += 1;
			void refresh().then(count);
		};
		void refresh().then(count);
		for (;;) {
			const next = this.#told.shift();
			if (next === undefined) await this.#news.promise;
			else yield next;
		}
	}
}

/** A client of a fleet with a fake clock, and the recorded states of its endpoints. */
export interface FleetClient extends ClientInTime<EchoServiceClient> {
	readonly fleet: Fleet;
	/** The resolver. It yields all servers, unless the test brings another one. */
	readonly resolver: ToldResolver;
	/** All changes of state of endpoints: "a ready", "b ejected: …". */
	readonly states: readonly string[];
	/** The changes by ejections and circuit breakers. */
	verdicts(): readonly string[];
	/** Resolves when this many changes begin with `start`. */
	heard(start: string, times?: number): Promise<void>;
	/** Makes this many calls, one after the other, and counts their results. */
	outcomes(count: number): Promise<Record<string, number>>;
}

export interface FleetOptions extends ClientOptions {
	/** Makes the resolver that the test controls. Default: one that yields all servers. */
	readonly resolver?: (fleet: Fleet) => ToldResolver;
	/** Makes a resolver that the client uses instead. */
	readonly target?: (clock: FakeClock) => Resolver;
	/** Makes the function that connects. Default: real connections. */
	readonly connect?: (fleet: Fleet) => Connect;
	readonly environment?: Partial<Environment>;
}

/** Makes a client of new servers, by default with round_robin. `names` has a letter for each server. */
export async function fleetOf(
	names: string,
	{ resolver, target, connect, environment, ...options }: FleetOptions = {},
): Promise<FleetClient> {
	const fleet = await Fleet.of(names);
	const told =
		resolver?.(fleet) ?? new ToldResolver({ endpoints: fleet.endpoints() });
	const clock = new FakeClock();
	const states: string[] = [];
	let news = Promise.withResolvers<void>();
	const hooks: ClientHooks = {
		...options.hooks,
		endpointState(endpoint, state, reason) {
			const what = `${fleet.nameOf(endpoint)} ${state}`;
			states.push(reason === "" ? what : `${what}: ${reason}`);
			news.resolve();
			news = Promise.withResolvers();
		},
	};
	const made = clientInTime<EchoServiceClient>(
		EchoService,
		target?.(clock) ?? told,
		{ balancer: "round_robin", ...options, hooks },
		clock,
		{ ...environment, ...(connect && { connect: connect(fleet) }) },
	);
	return {
		...made,
		fleet,
		resolver: told,
		states,
		verdicts: () =>
			states.filter((state) => /^\S+ (ejected|uneject|breaker)/.test(state)),
		async heard(start, times = 1) {
			const count = (): number =>
				states.filter((state) => state.startsWith(start)).length;
			while (count() < times) await news.promise;
			await settled();
		},
		async outcomes(count) {
			const ends: Record<string, number> = {};
			for (let n = 0; n < count; n++) {
				const end = await made.client.echo({}).then(
					() => "ok",
					({ code }: ConnectError) => codeName(code),
				);
				ends[end] = (ends[end] ?? 0) + 1;
			}
			return ends;
		},
		async [Symbol.asyncDispose]() {
			await made[Symbol.asyncDispose]();
			await fleet[Symbol.asyncDispose]();
		},
	};
}

/** Makes the same client, and waits until it is connected to all servers. */
export async function connectedFleet(
	names: string,
	options?: FleetOptions,
): Promise<FleetClient> {
	const made = await fleetOf(names, options);
	await made.core.connect(undefined);
	for (const name of names) await made.heard(`${name} ready`);
	return made;
}
