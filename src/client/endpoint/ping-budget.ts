import type { ClientConnection } from "../../wire/connection.ts";

/**
 * Servers count PINGs, and close a connection that brings too many with no response in between: grpc-go, by default, at
 * the fourth within five minutes ("keepalive.EnforcementPolicy").
 */
const MAX_PINGS = 3;

/** How many PINGs one connection can take on homing's own account; those of the option `keepalive` are its user's affair. */
export class PingBudget {
	readonly #connection: Pick<ClientConnection, "responses">;
	#responses = 0;
	#spent = 0;

	constructor(connection: Pick<ClientConnection, "responses">) {
		this.#connection = connection;
	}

	/** Takes one, if more than `reserved` are left. */
	take(reserved = 0): boolean {
		const { responses } = this.#connection;
		if (responses !== this.#responses) {
			this.#responses = responses;
			this.#spent = 0;
		}
		if (this.#spent + reserved >= MAX_PINGS) return false;
		this.#spent += 1;
		return true;
	}
}
