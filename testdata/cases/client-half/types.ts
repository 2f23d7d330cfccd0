import type { Client } from "@connectrpc/connect";
import type { Four, WithPolicy } from "./gen/four_pb.js";
import {
	type FourClient,
	NewFourClient,
	NewWithPolicyClient,
	type WithPolicyClient,
} from "./gen/four_rpc.js";

type Assignable<From extends To, To> = From;

export type FourClientIsConnects = Assignable<FourClient, Client<typeof Four>>;

export function clientFour(): FourClient {
	return NewFourClient("127.0.0.1:50051");
}

export type WithPolicyClientIsConnects = Assignable<
	WithPolicyClient,
	Client<typeof WithPolicy>
>;

export function clientWithPolicy(): WithPolicyClient {
	return NewWithPolicyClient("127.0.0.1:50051");
}
