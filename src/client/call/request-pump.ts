import type { DescMessage, MessageInitShape } from "@bufbuild/protobuf";
import { shown } from "../../checks/option-error.ts";
import type { Messages } from "./caller.ts";

type AnyIterator<T> = Iterator<T> | AsyncIterator<T>;

/** Iterates over request messages. Throws TypeError for what is no iterable. */
export function requestIterator<I extends DescMessage>(
	messages: Messages<I>,
): AnyIterator<MessageInitShape<I>> {
	const given = messages as Partial<
		AsyncIterable<MessageInitShape<I>> & Iterable<MessageInitShape<I>>
	> | null;
	const iterator =
		given?.[Symbol.asyncIterator]?.() ?? given?.[Symbol.iterator]?.();
	if (iterator === undefined) {
		throw new TypeError(
			`${shown(messages)} is nothing to iterate over; give an array or a generator of messages`,
		);
	}
	return iterator;
}
