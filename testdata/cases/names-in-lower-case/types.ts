import type { Client, ServiceImpl } from "@connectrpc/connect";
import type { ServiceRegistrar } from "homing/server";
import type {
	delete$ as Delete,
	options_service as OptionsService,
	registrar as Registrar,
	target as Target,
} from "./gen/lower_pb.js";
import {
	type deleteClient as DeleteTheClient,
	NewdeleteClient as DeleteTheNew,
	RegisterdeleteServer as DeleteTheRegister,
	type deleteServer as DeleteTheServer,
	UnimplementeddeleteServer as DeleteTheUnimplemented,
	type options_serviceClient as OptionsServiceTheClient,
	Newoptions_serviceClient as OptionsServiceTheNew,
	Registeroptions_serviceServer as OptionsServiceTheRegister,
	type options_serviceServer as OptionsServiceTheServer,
	Unimplementedoptions_serviceServer as OptionsServiceTheUnimplemented,
	type registrarClient as RegistrarTheClient,
	NewregistrarClient as RegistrarTheNew,
	RegisterregistrarServer as RegistrarTheRegister,
	type registrarServer as RegistrarTheServer,
	UnimplementedregistrarServer as RegistrarTheUnimplemented,
	type targetClient as TargetTheClient,
	NewtargetClient as TargetTheNew,
	RegistertargetServer as TargetTheRegister,
	type targetServer as TargetTheServer,
	UnimplementedtargetServer as TargetTheUnimplemented,
} from "./gen/lower_rpc.js";

type Assignable<From extends To, To> = From;

export type TargetClientIsConnects = Assignable<
	TargetTheClient,
	Client<typeof Target>
>;

export function clientTarget(): TargetTheClient {
	return TargetTheNew("127.0.0.1:50051");
}

export type TargetServerIsConnects = Assignable<
	TargetTheServer,
	ServiceImpl<typeof Target>
>;

export function serveTarget(registrar: ServiceRegistrar): void {
	TargetTheRegister(registrar, new TargetTheUnimplemented());
}

export type OptionsServiceClientIsConnects = Assignable<
	OptionsServiceTheClient,
	Client<typeof OptionsService>
>;

export function clientOptionsService(): OptionsServiceTheClient {
	return OptionsServiceTheNew("127.0.0.1:50051");
}

export type OptionsServiceServerIsConnects = Assignable<
	OptionsServiceTheServer,
	ServiceImpl<typeof OptionsService>
>;

export function serveOptionsService(registrar: ServiceRegistrar): void {
	OptionsServiceTheRegister(registrar, new OptionsServiceTheUnimplemented());
}

export type RegistrarClientIsConnects = Assignable<
	RegistrarTheClient,
	Client<typeof Registrar>
>;

export function clientRegistrar(): RegistrarTheClient {
	return RegistrarTheNew("127.0.0.1:50051");
}

export type RegistrarServerIsConnects = Assignable<
	RegistrarTheServer,
	ServiceImpl<typeof Registrar>
>;

export function serveRegistrar(registrar: ServiceRegistrar): void {
	RegistrarTheRegister(registrar, new RegistrarTheUnimplemented());
}

export type DeleteClientIsConnects = Assignable<
	DeleteTheClient,
	Client<typeof Delete>
>;

export function clientDelete(): DeleteTheClient {
	return DeleteTheNew("127.0.0.1:50051");
}

export type DeleteServerIsConnects = Assignable<
	DeleteTheServer,
	ServiceImpl<typeof Delete>
>;

export function serveDelete(registrar: ServiceRegistrar): void {
	DeleteTheRegister(registrar, new DeleteTheUnimplemented());
}
