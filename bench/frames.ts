/** Reads and writes gRPC messages on an HTTP/2 stream, as one would by hand: without compression or limits. */

const PREFIX_BYTES = 5;

export function frame(message: Uint8Array): Buffer {
	const framed = Buffer.allocUnsafe(PREFIX_BYTES + message.length);
	framed[0] = 0;
	framed.writeUInt32BE(message.length, 1);
	framed.set(message, PREFIX_BYTES);
	return framed;
}

/** Returns the message in chunks that contain exactly one. */
export function unframe(chunks: readonly Buffer[]): Buffer {
	const [first, ...others] = chunks;
	if (first === undefined) throw new Error("the response has no message");
	const framed = others.length === 0 ? first : Buffer.concat(chunks);
	return framed.subarray(PREFIX_BYTES);
}

/** Returns a function that takes chunks and calls `found` with each message in them. */
export function messagesInto(
	found: (message: Buffer) => void,
): (chunk: Buffer) => void {
	let rest: Buffer | undefined;
	return (chunk) => {
		const bytes = rest === undefined ? chunk : Buffer.concat([rest, chunk]);
		let at = 0;
		while (bytes.length - at >= PREFIX_BYTES) {
			const end = at + PREFIX_BYTES + bytes.readUInt32BE(at + 1);
			if (end > bytes.length) break;
			found(bytes.subarray(at + PREFIX_BYTES, end));
			at = end;
		}
		rest = at === bytes.length ? undefined : bytes.subarray(at);
	};
}
