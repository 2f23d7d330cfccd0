import {
	circuitBreaker,
	defaults,
	hedging,
	leastRequestRetries,
	noRetries,
	pickFirst,
	roundRobin,
	roundRobinEjection,
	roundRobinRetries,
	unthrottled,
	zoned,
} from "./policies.ts";
import { type Scenario, tenServers, type World } from "./scenario.ts";
import type { SimulatedServer } from "./server.ts";

const ladder = [
	roundRobin,
	roundRobinRetries,
	roundRobinEjection,
	leastRequestRetries,
	defaults,
	hedging,
];

const slow: Scenario = {
	...tenServers,
	name: "slow",
	title: "One endpoint is slow",
	story:
		"One of ten servers becomes ten times slower, and can then handle only a fifth of its share of the calls.",
	policies: [...ladder, pickFirst],
	script: ({ at, servers }) =>
		at(10, () => {
			(servers[0] as SimulatedServer).slowness = 10;
		}),
};

const failing: Scenario = {
	...tenServers,
	name: "failing",
	title: "One endpoint fails occasionally",
	story: "One of ten servers answers 5 % of its calls with UNAVAILABLE.",
	policies: ladder,
	script: ({ at, servers }) =>
		at(10, () => {
			(servers[0] as SimulatedServer).failing = 0.05;
		}),
};

const blackHole: Scenario = {
	...tenServers,
	name: "black-hole",
	title: "One endpoint fails every call, fast",
	story:
		"One of ten servers answers every call with UNAVAILABLE within a millisecond. A balancer that considers only latency would take it for the best one.",
	policies: [...ladder, noRetries],
	script: ({ at, servers }) =>
		at(10, () => {
			(servers[0] as SimulatedServer).failing = 1;
		}),
};

const zoneLost: Scenario = {
	...tenServers,
	name: "zone",
	title: "A zone is lost",
	story:
		"Twelve servers are in three zones. The machines of one zone lose power, so that connections to them go silent without being closed. They are back twenty seconds later.",
	servers: 12,
	clients: 12,
	zones: 3,
	rate: 1000,
	seconds: 60,
	overAt: 30,
	policies: [...ladder, zoned],
	script: ({ at, servers, network }) => {
		const lost = servers.filter(({ zone }) => zone === "zone-0");
		at(10, () => {
			for (const server of lost) network.silence(server);
		});
		at(30, () => {
			for (const server of lost) server.state = "up";
		});
	},
};

const deploy: Scenario = {
	...tenServers,
	name: "deploy",
	title: "A rolling deploy",
	story:
		"Fifty servers are replaced, a tenth of them at a time. Each sends GOAWAY, has 20 ms to finish its calls (too little for a third of them), takes 1 s to start, and runs at a fifth of its speed for 2 s while its caches fill.",
	servers: 50,
	clients: 20,
	rate: 6000,
	overAt: 32,
	runs: 1,
	policies: ladder,
	script: (world) => {
		const atATime = world.servers.length / 10;
		world.servers.forEach((server, i) => {
			restart(world, server, 10 + 2 * Math.floor(i / atATime));
		});
	},
};

function restart(
	{ at, network }: World,
	server: SimulatedServer,
	second: number,
): void {
	at(second, () => network.shutDown(server, 20));
	at(second + 1, () => {
		server.state = "up";
		server.slowness = 5;
	});
	at(second + 3, () => {
		server.slowness = 1;
	});
}

const crowd: Scenario = {
	...tenServers,
	name: "crowd",
	title: "A flash crowd",
	story:
		"The rate of calls doubles at once, to nine tenths of the capacity of ten servers. Ten seconds later, five more servers are added, which start at a fifth of their speed.",
	seconds: 40,
	rate: 1000,
	overAt: 22,
	policies: ladder,
	script: ({ at, servers, directory, setRate }) => {
		const first = servers.slice(0, 10);
		const late = servers.slice(10);
		directory.set(first);
		for (const server of late) server.slowness = 5;
		at(10, () => setRate(2000));
		at(20, () => directory.set(servers));
		at(22, () => {
			for (const server of late) server.slowness = 1;
		});
	},
	servers: 15,
};

const storm: Scenario = {
	...tenServers,
	name: "storm",
	title: "A retry storm",
	story:
		"For five seconds, the database behind ten servers is four times slower. The servers answer calls that take longer than 300 ms with UNAVAILABLE, but the database still works on them. When it is fast again, its queues are full of requests that nobody waits for.",
	rate: 1500,
	overAt: 15,
	timeoutMs: 2000,
	patienceMs: 300,
	policies: [roundRobin, roundRobinRetries, defaults, unthrottled],
	against: unthrottled,
	script: ({ at, servers }) => {
		at(10, () => {
			for (const server of servers) server.slowness = 4;
		});
		at(15, () => {
			for (const server of servers) server.slowness = 1;
		});
	},
};

const outage: Scenario = {
	...tenServers,
	name: "outage",
	title: "Every endpoint fails",
	story:
		"For ten seconds, all servers answer every call with UNAVAILABLE. Nothing helps; the question is how many requests the servers get meanwhile.",
	overAt: 20,
	policies: [
		roundRobin,
		roundRobinRetries,
		defaults,
		hedging,
		circuitBreaker,
		unthrottled,
	],
	against: unthrottled,
	script: ({ at, servers }) => {
		at(10, () => {
			for (const server of servers) server.failing = 1;
		});
		at(20, () => {
			for (const server of servers) server.failing = 0;
		});
	},
};

const tenThousand: Scenario = {
	...tenServers,
	name: "ten-thousand",
	title: "Ten thousand endpoints",
	story:
		"One in twenty of 10,000 servers becomes ten times slower. Each client has a connection to every server, and calls each of them only about once in ten seconds, so it rarely hears from the same server twice.",
	servers: 10_000,
	clients: 4,
	rate: 4000,
	seconds: 25,
	faultAt: 5,
	workers: 1,
	runs: 1,
	policies: [roundRobin, leastRequestRetries, defaults, hedging],
	script: ({ at, servers }) =>
		at(5, () => {
			servers.forEach((server, i) => {
				if (i % 20 === 0) server.slowness = 10;
			});
		}),
};

export const scenarios: readonly Scenario[] = [
	slow,
	failing,
	blackHole,
	zoneLost,
	deploy,
	crowd,
	storm,
	outage,
	tenThousand,
];
