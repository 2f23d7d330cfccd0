import { integer, type OptionTable } from "../../checks/option-table.ts";

/** How a server shuts down. */
export interface ShutdownOptions {
	/**
	 * How long calls in flight may take to finish, in milliseconds. After that, they fail with UNAVAILABLE. Default: 10,000.
	 */
	graceMs?: number | undefined;
	/**
	 * How long the server still accepts connections and calls after it has left its registries, in milliseconds, so that
	 * clients have time to notice. Default: 0.
	 */
	propagationMs?: number | undefined;
}

export const shutdownOptions: OptionTable<ShutdownOptions> = {
	graceMs: integer(0),
	propagationMs: integer(0),
};
