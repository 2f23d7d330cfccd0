import { Code } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { parseAddress } from "../src/discovery/targets/address.ts";
import type { ClientConnection } from "../src/wire/connection.ts";
import { startOf } from "../testdata/harness/call-start.ts";
import { SimulatedNetwork } from "./network.ts";
import { SimulatedServer } from "./server.ts";
import { VirtualTime } from "./virtual-time.ts";

const address = parseAddress("10.0.0.1:50051", "address");

/** A server that takes 10 ms, and is 1 ms away, or 3 ms from another zone. */
function world() {
	const time = new VirtualTime();
	const sent: string[] = [];
	const network = new SimulatedNetwork(
		time,
		() => 0,
		{ withinMs: 1, acrossMs: 3 },
		{ sent: (across) => sent.push(across ? "across" : "within") },
	);
	const server = new SimulatedServer(
		"10.0.0.1:50051",
		"here",
		{
			workers: 10,
			queueLimit: 0,
			serviceMs: () => 10,
			patienceMs: Number.POSITIVE_INFINITY,
		},
		time,
		() => 0.5,
	);
	network.add(server);
	const heard: string[] = [];
	const tell = (what: string): void => {
		heard.push(`${what} at ${time.now()}`);
	};
	const given = new AbortController();
	let connection: ClientConnection | undefined;
	const connect = async (zone = "here"): Promise<void> => {
		void network
			.connectFrom(zone)(
				address,
				{
					accepted: () => {},
					room: () => {},
					goaway: () => tell("goaway"),
					closed: (error) => tell(`closed (${error?.message ?? "well"})`),
				},
				given.signal,
			)
			.then(
				(made) => {
					connection = made;
					tell("connected");
				},
				(error: Error) => tell(error.message),
			);
		await time.runUntil(time.now() + 20);
	};
	const call = (name: string): void => {
		connection?.start(startOf({ request: new Uint8Array(0) }), {
			headers: () => {},
			message: () => {},
			writable: () => {},
			end: ({ code, progress }) =>
				tell(`${name}: ${code === 0 ? "ok" : `${Code[code]}, ${progress}`}`),
		});
	};
	return {
		...{ time, network, server, heard, sent, connect, call, given },
		connection: () => connection as ClientConnection,
	};
}

test("connects in one round trip, and delivers a call and its answer", async () => {
	const { time, connect, call, heard, sent, connection } = world();
	await connect();
	call("a");
	expect(connection().openCalls).toBe(1);
	await time.runUntil(100);
	expect(connection().openCalls).toBe(0);
	expect(connection().heard).toBe(1);
	expect(heard).toEqual(["connected at 2", "a: ok at 32"]);
	expect(sent).toEqual(["within"]);
});

test("takes longer between zones", async () => {
	const { time, connect, call, heard, sent } = world();
	await connect("there");
	call("a");
	await time.runUntil(100);
	expect(heard).toEqual(["connected at 6", "a: ok at 36"]);
	expect(sent).toEqual(["across"]);
});

test("refuses connections to a server that is down, and leaves those to a silent server pending", async () => {
	const { server, network, connect, heard, given } = world();
	network.kill(server);
	await connect();
	expect(heard).toEqual(["connect ECONNREFUSED 10.0.0.1:50051 at 2"]);
	network.silence(server);
	await connect();
	expect(heard).toHaveLength(1);
	given.abort(new Error("waited long enough"));
	await Promise.resolve();
	expect(heard[1]).toBe("waited long enough at 40");
});

test("resets the connections of a killed server", async () => {
	const { time, server, network, connect, call, heard } = world();
	await connect();
	call("a");
	time.after(5, () => network.kill(server));
	await time.runUntil(100);
	expect(heard.slice(1)).toEqual([
		"a: Unavailable, processed at 26",
		"closed (read ECONNRESET 10.0.0.1:50051) at 26",
	]);
});

test("keeps connections to a silent server open, and resets them when it is back", async () => {
	const { time, server, network, connect, call, heard, connection } = world();
	await connect();
	network.silence(server);
	call("a");
	connection().ping(() => heard.push("answered"));
	await time.runUntil(100);
	expect(heard).toEqual(["connected at 2"]);
	server.state = "up";
	call("b");
	await time.runUntil(200);
	expect(heard.slice(1)).toEqual([
		"a: Unavailable, processed at 102",
		"b: Unavailable, processed at 102",
		"closed (read ECONNRESET 10.0.0.1:50051) at 102",
	]);
});

test("lets a server that shuts down finish its requests, and refuse new ones", async () => {
	const { time, server, network, connect, call, heard } = world();
	await connect();
	call("before");
	time.after(9.5, () => call("on the way"));
	time.after(10, () => network.shutDown(server, 50));
	time.after(11.2, () => call("after"));
	await time.runUntil(200);
	expect(heard.slice(1)).toEqual([
		"goaway at 31",
		"after: Unavailable, miscarried at 31.2",
		"on the way: Unavailable, refused at 31.5",
		"before: ok at 32",
		"closed (well) at 32",
	]);
});

test("kills a server that has not finished within its grace period", async () => {
	const { time, server, network, connect, call, heard } = world();
	await connect();
	call("a");
	time.after(2, () => network.shutDown(server, 5));
	await time.runUntil(200);
	expect(heard.slice(1)).toEqual([
		"goaway at 23",
		"a: Unavailable, processed at 28",
		"closed (read ECONNRESET 10.0.0.1:50051) at 28",
	]);
});

test("answers a PING, and closes a connection when its last call has ended", async () => {
	const { time, connect, call, heard, connection } = world();
	await connect();
	connection().ping(() => heard.push(`answered at ${time.now()}`));
	call("a");
	connection().close();
	await time.runUntil(100);
	expect(heard.slice(1)).toEqual([
		"answered at 22",
		"a: ok at 32",
		"closed (well) at 32",
	]);
});
