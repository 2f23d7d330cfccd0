/** Runs all cases with one client and one server, as one vitest test for each case. */

import type { MessageInitShape } from "@bufbuild/protobuf";
import { afterAll, describe, test } from "vitest";
import type { ListenSchema, TlsSchema } from "../gen/peer_pb.ts";
import type { Case, Session, Setup } from "./cases/case.ts";
import { type Identity, makeIdentity } from "./certificates.ts";
import { type Deviation, deviation } from "./deviations.ts";
import { meter } from "./meter.ts";
import type { ClientPeer, ServerPeer } from "./peer.ts";

/** Declares the tests of a pair. With a reason to skip, it declares one skipped test with that reason. */
export function testPair(
	client: ClientPeer,
	server: ServerPeer,
	cases: readonly Case[],
	skip?: string | undefined,
): void {
	describe(`${client.name} client → ${server.name} server`, () => {
		if (skip !== undefined) {
			test.skip(skip);
			return;
		}
		const sessions = new Sessions(client, server);
		afterAll(() => sessions.close());
		const declare = ({ name, waits, run }: Case, setup: Setup) => {
			if (setup.gzip === "responses" && !server.compresses) {
				test.skip(`${name} (${server.name} servers do not compress)`);
				return;
			}
			const known = deviation(client.name, server.name, name);
			const title = known ? `${name} (${known.because})` : name;
			if (known && !known.code) {
				test.skip(title);
				return;
			}
			const options = waits ? { concurrent: true } : {};
			test(title, options, async () =>
				run(withCode(await sessions.open(setup), known?.code)),
			);
		};
		for (const each of cases) {
			declare(each, each.setup ?? {});
			if (each.alsoOverTls) {
				const name = `${each.name}, over TLS`;
				declare({ ...each, name }, { ...each.setup, tls: "server" });
			}
		}
	});
}

/** Wraps a session so that one code counts as another. */
function withCode(session: Session, code: Deviation["code"]): Session {
	if (code === undefined) return session;
	return {
		...session,
		async perform(call) {
			const outcome = await session.perform(call);
			const { status } = outcome;
			if (status && code.reported.includes(status.code)) {
				status.code = code.meant;
			}
			return outcome;
		},
	};
}

/** The sessions of a pair, one for each setup of the two sides. */
class Sessions {
	readonly #client: ClientPeer;
	readonly #server: ServerPeer;
	readonly #open = new Map<string, Promise<Session>>();
	readonly #closers: (() => Promise<void>)[] = [];

	constructor(client: ClientPeer, server: ServerPeer) {
		this.#client = client;
		this.#server = server;
	}

	open(setup: Setup): Promise<Session> {
		const key = `${setup.tls} ${setup.gzip}`;
		const known = this.#open.get(key);
		if (known) return known;
		const session = this.#start(setup);
		this.#open.set(key, session);
		return session;
	}

	async close(): Promise<void> {
		for (const close of this.#closers.reverse()) await close();
	}

	async #start(setup: Setup): Promise<Session> {
		const { listen, connect } = tlsOf(setup.tls);
		const server = await this.#server.start({
			...listen,
			gzip: setup.gzip === "responses",
		});
		this.#closers.push(() => server.stop());
		const relay = await meter(server.address);
		this.#closers.push(() => relay.stop());
		const client = await this.#client.connect({
			address: relay.address,
			...connect,
			gzip: setup.gzip === "requests",
		});
		this.#closers.push(() => client.close());
		return {
			perform: (call) => client.perform(call),
			traffic: () => ({ up: relay.up, down: relay.down }),
		};
	}
}

interface TlsOfBothSides {
	listen: MessageInitShape<typeof ListenSchema>;
	connect: { tls?: MessageInitShape<typeof TlsSchema> };
}

function tlsOf(tls: Setup["tls"]): TlsOfBothSides {
	if (tls === undefined) return { listen: {}, connect: {} };
	const authority = makeIdentity({ commonName: "test authority" });
	const stranger = makeIdentity({ commonName: "unknown authority" });
	const ca = authority.certificate;
	const server = makeIdentity({
		commonName: "server",
		hosts: ["127.0.0.1", "localhost"],
		issuer: tls === "unknown authority" ? stranger : authority,
	});
	const client = makeIdentity({ commonName: "client", issuer: authority });
	const mutual = tls === "mutual" || tls === "missing client certificate";
	return {
		listen: { tls: { ca, ...pemOf(server), mutual } },
		connect: { tls: { ca, ...(tls === "mutual" && pemOf(client)) } },
	};
}

function pemOf({ certificate, key }: Identity): {
	certificate: string;
	key: string;
} {
	return { certificate, key };
}
