/**
 * How many header fields Node is to read of one block, of which so many bytes are welcome (RFC 9113 section 6.5.2: 32
 * and its own for each). Of more, Node resets the stream by itself; so it reads some that are too many, to let us say so.
 */
export function headerPairs(bytes: number): number {
	return Math.ceil((4 * bytes) / 32);
}
