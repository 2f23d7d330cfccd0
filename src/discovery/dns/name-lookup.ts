import { lookup, Resolver } from "node:dns/promises";

/** The addresses of a name. */
export interface Found {
	/** IPv6 addresses have no brackets, and may have a zone. */
	readonly addresses: readonly string[];
	/** The shortest time to live of the records; absent if it is unknown. */
	readonly ttlMs?: number;
}

export type Lookup = (host: string, signal: AbortSignal) => Promise<Found>;

/** Asks the system, as other programs do (getaddrinfo): it reads /etc/hosts, and it orders the addresses (RFC 6724). */
export const systemLookup: Lookup = async (host) => {
	const found = await lookup(host, { all: true, order: "verbatim" });
	return { addresses: found.map(({ address }) => address) };
};

/**
 * Asks a name server for A and AAAA records.
 *
 * @param server "address:port"
 */
export function serverLookup(server: string): Lookup {
	return (host, signal) =>
		withNameServer(server, signal, async (resolver) => {
			const answers = await Promise.allSettled([
				resolver.resolve6(host, { ttl: true }),
				resolver.resolve4(host, { ttl: true }),
			]);
			const records = answers.flatMap((answer) =>
				answer.status === "fulfilled" ? answer.value : [],
			);
			const failed = answers.find((answer) => answer.status === "rejected");
			if (records.length === 0 && failed !== undefined) {
				throw failed.reason;
			}
			return {
				addresses: records.map(({ address }) => address),
				ttlMs: Math.min(...records.map(({ ttl }) => ttl)) * 1000,
			};
		});
}

/**
 * Calls `ask` with a resolver for a name server, and cancels its queries when the signal fires.
 *
 * @param server "address:port"; undefined means the system's name servers
 */
export async function withNameServer<T>(
	server: string | undefined,
	signal: AbortSignal,
	ask: (resolver: Resolver) => Promise<T>,
): Promise<T> {
	const resolver = new Resolver({ timeout: 2000, tries: 2 });
	if (server !== undefined) {
		resolver.setServers([server]);
	}
	const cancel = (): void => resolver.cancel();
	signal.addEventListener("abort", cancel);
	try {
		return await ask(resolver);
	} finally {
		signal.removeEventListener("abort", cancel);
	}
}
