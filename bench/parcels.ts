import { create } from "@bufbuild/protobuf";
import { type Parcel, ParcelSchema } from "./gen/bench_pb.ts";

/** The message of small calls and of streams: one word, so that the call is measured rather than the codec. */
export const SMALL: Parcel = create(ParcelSchema, { name: "Ada Lovelace" });

/** A message of a little more than 1 MiB. */
export const LARGE: Parcel = create(ParcelSchema, {
	content: new Uint8Array(1024 * 1024).fill(7),
});
