import type { Client, ServiceImpl } from "@connectrpc/connect";
import type { ServiceRegistrar } from "homing/server";
import type { Levels } from "./gen/levels_pb.js";
import {
	type LevelsClient,
	type LevelsServer,
	NewLevelsClient,
	RegisterLevelsServer,
	UnimplementedLevelsServer,
} from "./gen/levels_rpc.js";

type Assignable<From extends To, To> = From;

export type LevelsClientIsConnects = Assignable<
	LevelsClient,
	Client<typeof Levels>
>;

export function clientLevels(): LevelsClient {
	return NewLevelsClient("127.0.0.1:50051");
}

export type LevelsServerIsConnects = Assignable<
	LevelsServer,
	ServiceImpl<typeof Levels>
>;

export function serveLevels(registrar: ServiceRegistrar): void {
	RegisterLevelsServer(registrar, new UnimplementedLevelsServer());
}
