import {
	Server,
	ServerCredentials,
	type ServerUnaryCall,
	type ServerWritableStream,
	type sendUnaryData,
} from "@grpc/grpc-js";
import type { Order, Parcel } from "../gen/bench_pb.ts";
import { benchDefinition } from "../grpc-definition.ts";
import { SMALL } from "../parcels.ts";

export function start(): Promise<number> {
	const server = new Server();
	server.addService(benchDefinition, { echo, stream });
	return new Promise((resolve, reject) => {
		server.bindAsync(
			"127.0.0.1:0",
			ServerCredentials.createInsecure(),
			(error, port) => {
				if (error === null) resolve(port);
				else reject(error);
			},
		);
	});
}

function echo(
	call: ServerUnaryCall<Parcel, Parcel>,
	callback: sendUnaryData<Parcel>,
): void {
	callback(null, call.request);
}

async function stream(
	call: ServerWritableStream<Order, Parcel>,
): Promise<void> {
	for (let sent = 0; sent < call.request.count; sent++) {
		if (!call.write(SMALL)) {
			await new Promise((resolve) => call.once("drain", resolve));
		}
	}
	call.end();
}
