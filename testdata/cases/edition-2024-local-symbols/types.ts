import type { Client, ServiceImpl } from "@connectrpc/connect";
import type { ServiceRegistrar } from "homing/server";
import type { Edition } from "./gen/edition_pb.js";
import {
	type EditionClient,
	type EditionServer,
	NewEditionClient,
	RegisterEditionServer,
	UnimplementedEditionServer,
} from "./gen/edition_rpc.js";

type Assignable<From extends To, To> = From;

export type EditionClientIsConnects = Assignable<
	EditionClient,
	Client<typeof Edition>
>;

export function clientEdition(): EditionClient {
	return NewEditionClient("127.0.0.1:50051");
}

export type EditionServerIsConnects = Assignable<
	EditionServer,
	ServiceImpl<typeof Edition>
>;

export function serveEdition(registrar: ServiceRegistrar): void {
	RegisterEditionServer(registrar, new UnimplementedEditionServer());
}
