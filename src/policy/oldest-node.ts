/** The oldest Node on which homing runs: `engines` in package.json. */
const OLDEST = [22, 12] as const;

/**
 * What to say of a Node that is too old; undefined if it is not.
 *
 * @param version "20.20.2"; undefined where there is no Node
 */
export function tooOld(version: string | undefined): string | undefined {
	if (version === undefined) return undefined;
	const [major = 0, minor = 0] = version.split(".").map(Number);
	return major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])
		? undefined
		: `homing needs Node ${OLDEST.join(".")} or newer; this is v${version}`;
}
