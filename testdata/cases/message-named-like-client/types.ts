import type { Client, ServiceImpl } from "@connectrpc/connect";
import type { ServiceRegistrar } from "homing/server";
import type { Payment, PaymentClient } from "./gen/payment_pb.js";
import {
	NewPaymentClient$,
	type PaymentClient$,
	type PaymentServer$,
	RegisterPaymentServer$,
	UnimplementedPaymentServer$,
} from "./gen/payment_rpc.js";

type Assignable<From extends To, To> = From;

export type PaymentClientIsConnects = Assignable<
	PaymentClient$,
	Client<typeof Payment>
>;

export function clientPayment(): PaymentClient$ {
	return NewPaymentClient$("127.0.0.1:50051");
}

export type PaymentServerIsConnects = Assignable<
	PaymentServer$,
	ServiceImpl<typeof Payment>
>;

export function servePayment(registrar: ServiceRegistrar): void {
	RegisterPaymentServer$(registrar, new UnimplementedPaymentServer$());
}

/** The message keeps the name. */
export async function create(
	client: PaymentClient$,
	id: PaymentClient,
): Promise<string> {
	return (await client.create(id)).host;
}
