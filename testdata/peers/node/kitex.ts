/** The Kitex peer, and the programs that docs/kitex.md shows: built by `npm run peers`, run as processes. */

import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { builtProgram, missing } from "../../harness/built-program.ts";
import type { ClientPeer, ServerPeer } from "./peer.ts";
import { type ProgramPeer, programClient, programServer } from "./program.ts";
import { kitexPeer } from "./recipes.ts";

/** Why the Kitex peer cannot run here; undefined if it can. */
export const kitexMissing: string | undefined = missing(kitexPeer);

/** Where services are registered, and the one that this is about. */
export interface KitexRegistry {
	readonly kind: "consul" | "etcd";
	/** "host:port" */
	readonly address: string;
	readonly service: string;
}

/** Flags of the program. */
export function registryFlags({ kind, address, service }: KitexRegistry) {
	return ["-registry", kind, "-at", address, "-service", service];
}

/** The program, with flags that follow its command. */
export function kitexProgram(
	args: readonly string[] = [],
	environment: Readonly<Record<string, string>> = {},
): ProgramPeer {
	return {
		name: "kitex",
		recipe: kitexPeer,
		command: (built) => [`${built}/kitex`],
		args,
		environment,
	};
}

/** An instance, as Kitex reads it in the registry. */
export interface KitexInstance {
	readonly address: string;
	readonly weight: number;
	readonly tags: Readonly<Record<string, string>>;
}

/** What Kitex's own resolver finds; none where it says that there are none. */
export async function foundByKitex(
	registry: KitexRegistry,
): Promise<KitexInstance[]> {
	const file = `${builtProgram(kitexPeer)}/kitex`;
	try {
		const args = ["resolve", ...registryFlags(registry)];
		return JSON.parse((await promisify(execFile)(file, args)).stdout);
	} catch (error) {
		const { stderr = "" } = error as { stderr?: string };
		if (/no service found|no instance remains/.test(stderr)) return [];
		throw error;
	}
}

export const kitexServer: ServerPeer = programServer(kitexProgram(), {
	compresses: true,
});

export const kitexClient: ClientPeer = programClient(kitexProgram());
