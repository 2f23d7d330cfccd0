import { shown } from "../../checks/option-error.ts";
import { record } from "../../checks/option-table.ts";
import type { ApiAnswer } from "../http-api.ts";
import { readSlice, type Slice } from "./endpoint-slice.ts";

/** One page of an EndpointSliceList. */
export interface Listed {
	readonly slices: readonly Slice[];
	/** The resource version of the whole list, from which a watch continues. */
	readonly version: string;
	/** The token of the next page; undefined on the last page. */
	readonly next?: string | undefined;
}

export type WatchEvent =
	/** ADDED or MODIFIED. */
	| { readonly kind: "kept"; readonly slice: Slice; readonly version: string }
	| {
			readonly kind: "deleted";
			readonly name: string;
			readonly version: string;
	  }
	| { readonly kind: "bookmark"; readonly version: string }
	/** ERROR, in the form of the answer that a request with that status would get. */
	| { readonly kind: "error"; readonly status: ApiAnswer };

/** Reads an EndpointSliceList. Throws a TypeError for any other value. */
export function readList(value: unknown): Listed {
	const { metadata, items } = record(value, "list");
	const next = record(metadata, "list.metadata")["continue"];
	// Go writes an empty list as null.
	if (!Array.isArray(items) && items !== null) {
		throw new TypeError(`list.items: ${shown(items)} is not a list`);
	}
	return {
		slices: (items ?? []).map(readSlice),
		version: versionOf(metadata, "list.metadata"),
		next: typeof next === "string" && next !== "" ? next : undefined,
	};
}

/** Reads an event of a watch. Throws a TypeError for any other value. */
export function readEvent(value: unknown): WatchEvent {
	const { type, object } = record(value, "event");
	const fields = record(object, "event.object");
	if (type === "ERROR") {
		const status = Number(fields["code"]) || 500;
		return {
			kind: "error",
			status: { status, headers: {}, value: fields, text: "" },
		};
	}
	const version = versionOf(fields["metadata"], "event.object.metadata");
	switch (type) {
		case "BOOKMARK":
			return { kind: "bookmark", version };
		case "DELETED":
			return { kind: "deleted", name: readSlice(object).name, version };
		case "ADDED":
		case "MODIFIED":
			return { kind: "kept", slice: readSlice(object), version };
		default:
			throw new TypeError(
				`event.type: ${shown(type)} is not the type of an event`,
			);
	}
}

function versionOf(metadata: unknown, where: string): string {
	const { resourceVersion } = record(metadata, where);
	if (typeof resourceVersion === "string" && resourceVersion !== "") {
		return resourceVersion;
	}
	throw new TypeError(`${where}.resourceVersion is missing`);
}
