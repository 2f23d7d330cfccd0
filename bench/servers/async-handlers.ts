import type { Order, Parcel } from "../gen/bench_pb.ts";
import { SMALL } from "../parcels.ts";

/** Bench for the servers whose handlers return messages and async iterables of them. */
export const handlers = {
	echo: async (parcel: Parcel): Promise<Parcel> => parcel,
	async *stream({ count }: Order): AsyncGenerator<Parcel> {
		for (let sent = 0; sent < count; sent++) yield SMALL;
	},
};
