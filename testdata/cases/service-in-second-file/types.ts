import type { Client, ServiceImpl } from "@connectrpc/connect";
import type { ServiceRegistrar } from "homing/server";
import type { Second } from "./gen/second_pb.js";
import {
	NewSecondClient,
	RegisterSecondServer,
	type SecondClient,
	type SecondServer,
	UnimplementedSecondServer,
} from "./gen/second_rpc.js";

type Assignable<From extends To, To> = From;

export type SecondClientIsConnects = Assignable<
	SecondClient,
	Client<typeof Second>
>;

export function clientSecond(): SecondClient {
	return NewSecondClient("127.0.0.1:50051");
}

export type SecondServerIsConnects = Assignable<
	SecondServer,
	ServiceImpl<typeof Second>
>;

export function serveSecond(registrar: ServiceRegistrar): void {
	RegisterSecondServer(registrar, new UnimplementedSecondServer());
}
