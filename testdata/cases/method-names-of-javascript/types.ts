import type { Client, ServiceImpl } from "@connectrpc/connect";
import type { ServiceRegistrar } from "homing/server";
import type { Names } from "./gen/names_pb.js";
import {
	type NamesClient,
	type NamesServer,
	NewNamesClient,
	RegisterNamesServer,
	UnimplementedNamesServer,
} from "./gen/names_rpc.js";

type Assignable<From extends To, To> = From;

export type NamesClientIsConnects = Assignable<
	NamesClient,
	Omit<Client<typeof Names>, "then" | "__proto__">
>;

export function clientNames(): NamesClient {
	return NewNamesClient("127.0.0.1:50051");
}

export type NamesServerIsConnects = Assignable<
	NamesServer,
	ServiceImpl<typeof Names>
>;

export function serveNames(registrar: ServiceRegistrar): void {
	RegisterNamesServer(registrar, new UnimplementedNamesServer());
}

/** Awaiting a client gives the client back: it is no thenable. */
export async function awaited(client: NamesClient): Promise<NamesClient> {
	return await client;
}

export type NotThenable = "then" extends keyof NamesClient ? never : true;
export const notThenable: NotThenable = true;

export async function call(client: NamesClient): Promise<void> {
	await client.then$({ text: "" });
	await client.__proto__$({});
	await client.constructor$({});
	await client.toString$({});
	await client.get_foo({});
	await client.uRLFetch({});
	await client.new({});
}

/** Servers keep the name, by which routers look handlers up. */
export const named: (keyof NamesServer & ("then" | "__proto__"))[] = [
	"then",
	"__proto__",
];
