/** The oldest version of Node on which homing runs; the same as `engines` in package.json. */
const OLDEST = [22, 12] as const;

/**
 * Returns the error message for a Node version that is too old, or undefined if the version is supported.
 *
 * @param version such as "20.20.2"; undefined if the program does not run on Node
 */
export function tooOld(version: string | undefined): string | undefined {
	if (version === undefined) return undefined;
	const [major = 0, minor = 0] = version.split(".").map(Number);
	return major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])
		? undefined
		: `homing needs Node ${OLDEST.join(".")} or newer; this is v${version}`;
}
