import { type Check, listOf, record, text } from "../../checks/option-table.ts";

/** Reads the value of a key from an answer to `GET /v1/kv/KEY`; undefined if the key does not exist. */
export const readKey: Check<string | undefined> = (value, where) => {
	if (value === undefined) return undefined;
	const [entry] = listOf(record)(value, where);
	const held = entry?.["Value"];
	return held === null || held === undefined
		? ""
		: Buffer.from(text(held, `${where}[0].Value`), "base64").toString();
};
