/** The Kitex peer and the programs of docs/kitex.md. `npm run peers` builds them, and tests run them as processes. */

import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { builtProgram, missing } from "../../harness/built-program.ts";
import type { ClientPeer, ServerPeer } from "./peer.ts";
import { type ProgramPeer, programClient, programServer } from "./program.ts";
import { kitexPeer } from "./recipes.ts";

/** Why the Kitex peer cannot run here. Undefined if it can. */
export const kitexMissing: string | undefined = missing(kitexPeer);

/** A registry and a service in it. */
export interface KitexRegistry {
	readonly kind: "consul" | "etcd";
	/** "host:port" */
	readonly address: string;
	readonly service: string;
}

/** The flags of the program for a registry. */
export function registryFlags({ kind, address, service }: KitexRegistry) {
	return ["-registry", kind, "-at", address, "-service", service];
}

/** The peer's program, with flags after its command. */
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

/** The instances that Kitex's own resolver finds; empty if it reports that there are none. */
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
