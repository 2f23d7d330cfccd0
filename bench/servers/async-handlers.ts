import type { Order, Parcel } from "../gen/bench_pb.ts";
import { SMALL } from "../parcels.ts";

/** An implementation of Bench for servers whose handlers return messages or async iterables of messages. */
export const handlers = {
	echo: async (parcel: Parcel): Promise<Parcel> => parcel,
	async *stream({ count }: Order): AsyncGenerator<Parcel> {
		for (let sent = 0; sent < count; sent++) yield SMALL;
	},
};
