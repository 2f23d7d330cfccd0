import type { ConnectError } from "@connectrpc/connect";
import { Call } from "../src/client/call/call.ts";
import type { CallObserver } from "../src/client/call/call-request.ts";
import { PreparedMethod } from "../src/client/call/prepared-method.ts";
import { ChannelCore } from "../src/client/channel/channel-core.ts";
import { settleChannel } from "../src/client/channel/channel-setting.ts";
import type { ChannelOptions } from "../src/client/options/channel-options.ts";
import { MethodPolicies } from "../src/client/options/method-policies.ts";
import { compileMethodPolicy } from "../src/policy/method-policy.ts";
import type { CallEnd } from "../src/wire/connection.ts";
import { chance, exponential, logNormal } from "./chance.ts";
import { Directory } from "./directory.ts";
import { method } from "./method.ts";
import { SimulatedNetwork } from "./network.ts";
import type { Policy } from "./policies.ts";
import { Record, type Second } from "./record.ts";
import { GOOD, type Scenario } from "./scenario.ts";
import { SimulatedServer } from "./server.ts";
import { VirtualTime } from "./virtual-time.ts";

/** Round trips of half a millisecond within a zone, and of one and a half between zones. */
const DELAYS = { withinMs: 0.25, acrossMs: 0.75 };

/** The spread of the log-normal service times. */
const SPREAD = 0.6;

const NO_BYTES = new Uint8Array(0);

/** Simulates a scenario with clients under `policy`. The same seed gives the same result. */
export async function simulate(
	scenario: Scenario,
	policy: Policy,
	seed: number,
): Promise<readonly Second[]> {
	// Stack traces would take most of the time, and nobody reads them.
	const { stackTraceLimit } = Error;
	Error.stackTraceLimit = 0;
	try {
		return await live(scenario, policy, seed);
	} finally {
		Error.stackTraceLimit = stackTraceLimit;
	}
}

async function live(
	scenario: Scenario,
	policy: Policy,
	seed: number,
): Promise<readonly Second[]> {
	const time = new VirtualTime();
	const { timeoutMs, medianServiceMs, zones } = scenario;
	const record = new Record(timeoutMs, GOOD * medianServiceMs);
	const network = new SimulatedNetwork(time, chance(seed, "network"), DELAYS, {
		sent: (across) => record.sent(time.now(), across),
	});
	const servers = Array.from({ length: scenario.servers }, (_, i) => {
		const work = chance(seed, `work ${i}`);
		return new SimulatedServer(
			`10.0.${Math.floor(i / 250)}.${(i % 250) + 1}:50051`,
			`zone-${i % zones}`,
			{
				workers: scenario.workers,
				queueLimit: scenario.queueLimit,
				serviceMs: () => logNormal(work, medianServiceMs, SPREAD),
				patienceMs: scenario.patienceMs,
			},
			time,
			chance(seed, `failures ${i}`),
		);
	});
	for (const server of servers) network.add(server);
	const directory = new Directory(time, servers);
	const channels = Array.from({ length: scenario.clients }, (_, i) => {
		const zone = `zone-${i % zones}`;
		return new ChannelCore(
			settleChannel(directory, channelOptions(policy, zone), {
				clock: time,
				random: chance(seed, `client ${i}`),
				connect: network.connectFrom(zone),
			}),
		);
	});

	let rate = scenario.rate;
	scenario.script({
		network,
		servers,
		directory,
		at: (second, action) => time.after(second * 1000, action),
		setRate: (next) => {
			rate = next;
		},
	});
	const own = {
		client: compileMethodPolicy(
			{ ...policy.method, timeout: `${timeoutMs / 1000}s` },
			"policy",
		),
		methods: new Map(),
		baked: undefined,
	};
	const methods = channels.map(
		(core) =>
			new PreparedMethod(method, core, new MethodPolicies(method, own, core)),
	);
	// Further calls follow the last ones that are counted, so that those meet the same load as earlier ones.
	const end = scenario.seconds * 1000 + timeoutMs;
	const arrivals = chance(seed, "arrivals");
	let open = 0;
	const arrive = (): void => {
		const prepared = methods[
			Math.floor(arrivals() * methods.length)
		] as PreparedMethod;
		if (policy.unthrottled) prepared.core.retryThrottle.succeeded();
		open += 1;
		make(prepared, (startedAt, endedAt, wentWell) => {
			open -= 1;
			record.ended(startedAt, endedAt, wentWell);
		});
		next();
	};
	const next = (): void => {
		const gap = exponential(arrivals, 1000 / rate);
		if (time.now() + gap < end) time.after(gap, arrive);
	};
	next();
	for (const channel of channels) channel.exitIdle();
	await time.runUntil(end + 2 * timeoutMs);
	if (open > 0) throw new Error(`${open} calls have not ended`);
	await Promise.all(channels.map((channel) => channel.close(0)));
	return record.seconds;
}

function channelOptions(
	{ channel, zoned }: Policy,
	zone: string,
): ChannelOptions {
	return zoned ? { ...channel, localZone: zone } : channel;
}

/** Makes a unary call like a generated client, but without a promise and without encoding messages. */
function make(
	prepared: PreparedMethod,
	ended: (startedAt: number, endedAt: number, wentWell: boolean) => void,
): void {
	const { clock } = prepared.core.setting;
	const startedAt = clock.now();
	const call = new Call(
		prepared,
		undefined,
		new Observer((error) => ended(startedAt, clock.now(), error === undefined)),
	);
	call.start(NO_BYTES);
}

class Observer implements CallObserver {
	readonly #ended: (error: ConnectError | undefined) => void;

	constructor(ended: (error: ConnectError | undefined) => void) {
		this.#ended = ended;
	}

	headers(): void {}

	message(): void {}

	writable(): void {}

	end(_end: CallEnd, error: ConnectError | undefined): void {
		this.#ended(error);
	}
}
