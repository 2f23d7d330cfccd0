import type { Client, ServiceImpl } from "@connectrpc/connect";
import type { ServiceRegistrar } from "homing/server";
import type { Kinds } from "./gen/kinds_pb.js";
import {
	type KindsClient,
	type KindsServer,
	NewKindsClient,
	RegisterKindsServer,
	UnimplementedKindsServer,
} from "./gen/kinds_rpc.js";

type Assignable<From extends To, To> = From;

export type KindsClientIsConnects = Assignable<
	KindsClient,
	Client<typeof Kinds>
>;

export function clientKinds(): KindsClient {
	return NewKindsClient("127.0.0.1:50051");
}

export type KindsServerIsConnects = Assignable<
	KindsServer,
	ServiceImpl<typeof Kinds>
>;

export function serveKinds(registrar: ServiceRegistrar): void {
	RegisterKindsServer(registrar, new UnimplementedKindsServer());
}

export async function call(client: KindsClient): Promise<string[]> {
	const texts = [(await client.unaryIn()).text];
	for await (const { text } of client.serverIn()) {
		texts.push(text);
	}
	const call = client.clientOut.open();
	await call.send({ text: "one" });
	await call.closeAndRecv();
	return texts;
}

/** One response may be given at once or later; streams are iterated. */
export class Partly extends UnimplementedKindsServer {
	override unaryIn(): { text: string } {
		return { text: "at once" };
	}
	override async unaryOut(): Promise<object> {
		return {};
	}
	override async *serverIn(): AsyncIterable<{ text: string }> {
		yield { text: "streamed" };
	}
}
