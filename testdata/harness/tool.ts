import { execFile } from "node:child_process";
import { promisify } from "node:util";

/**
 * Skips a test whose tool is not installed. Fails it instead if `CI` is set.
 *
 * @param skip the function `skip` of the test's context
 */
export async function tool(
	name: string,
	skip: (note: string) => void,
): Promise<void> {
	try {
		await promisify(execFile)(name, ["--version"]);
	} catch (error) {
		if (process.env["CI"]) {
			throw new Error(`${name} is not installed, and CI needs it`, {
				cause: error,
			});
		}
		skip(`${name} is not installed`);
	}
}
