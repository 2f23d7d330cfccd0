import { integer, type OptionTable } from "../../checks/option-table.ts";

/** How a server ends. */
export interface ShutdownOptions {
	/** How long calls in flight may take to finish, in milliseconds; then they fail with UNAVAILABLE. Default: 10,000. */
	graceMs?: number | undefined;
	/** How long clients may take to hear that the server is leaving, before it takes no more connections, in milliseconds. Default: 0. */
	propagationMs?: number | undefined;
}

export const shutdownOptions: OptionTable<ShutdownOptions> = {
	graceMs: integer(0),
	propagationMs: integer(0),
};
