/**
 * Node's limit for the number of header fields in a block, where the block may have so many bytes (RFC 9113 section
 * 6.5.2). Beyond its limit Node resets the stream by itself. So the limit is generous, for homing to answer such a request
 * with a status.
 */
export function headerPairs(bytes: number): number {
	return Math.ceil((4 * bytes) / 32);
}
