import { create } from "@bufbuild/protobuf";
import { type Parcel, ParcelSchema } from "./gen/bench_pb.ts";

/** Of calls with small messages, and of streams: a word and no more, so that what is measured is the call. */
export const SMALL: Parcel = create(ParcelSchema, { name: "Ada Lovelace" });

/** 1 MiB, and a few bytes. */
export const LARGE: Parcel = create(ParcelSchema, {
	content: new Uint8Array(1024 * 1024).fill(7),
});
