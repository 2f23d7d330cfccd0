/** Several servers that a test scripts, and a client of them in fake time whose hooks write down what they hear. */

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

/** One server, and what it does with calls from now on. */
export interface FleetServer extends ScriptedServer {
	readonly name: string;
	does: Answer;
}

/** Servers named "a", "b" and so on; all is fine with them until told otherwise. */
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

	/** All of them, or those named. */
	endpoints(names = this.servers.map(({ name }) => name).join("")): Endpoint[] {
		return [...names].map((name) => ({ address: this.get(name).address }));
	}

	/** What address has which name. */
	nameOf(endpoint: Endpoint): string {
		const at = String(endpoint.address);
		return this.servers.find(({ address }) => address === at)?.name ?? at;
	}

	/** How many calls each has seen since the last time this was asked. */
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

/** A resolver that says what a test tells it to. */
export class ToldResolver implements Resolver {
	/** How often the channel has wanted to know again. */
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

/** A client in fake time of a fleet, and what its hooks have heard of the endpoints. */
export interface FleetClient extends ClientInTime<EchoServiceClient> {
	readonly fleet: Fleet;
	/** Speaks of all servers, unless the test has one of its own. */
	readonly resolver: ToldResolver;
	/** "a ready", "b ejected: …": each new state of an endpoint. */
	readonly states: readonly string[];
	/** Those of them that tell of ejections and of breakers. */
	verdicts(): readonly string[];
	/** Resolves once so many states begin with `start`. */
	heard(start: string, times?: number): Promise<void>;
	/** Makes so many calls, one after the other, and counts how they end. */
	outcomes(count: number): Promise<Record<string, number>>;
}

export interface FleetOptions extends ClientOptions {
	/** Instead of one that speaks of all servers, by their addresses. */
	readonly resolver?: (fleet: Fleet) => ToldResolver;
	/** Instead of a resolver that is told: one of the program's own. */
	readonly target?: (clock: FakeClock) => Resolver;
	/** Where connections really go. */
	readonly connect?: (fleet: Fleet) => Connect;
	readonly environment?: Partial<Environment>;
}

/** A client of so many new servers; round robin, unless the options say otherwise. */
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

/** The same, once it is connected to all of them. */
export async function connectedFleet(
	names: string,
	options?: FleetOptions,
): Promise<FleetClient> {
	const made = await fleetOf(names, options);
	await made.core.connect(undefined);
	for (const name of names) await made.heard(`${name} ready`);
	return made;
}
