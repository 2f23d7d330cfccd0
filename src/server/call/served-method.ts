import {
	type DescMessage,
	type DescMethod,
	type DescService,
	fromBinary,
	type Message,
	type MessageInitShape,
	toBinary,
} from "@bufbuild/protobuf";
import type { Interceptor } from "@connectrpc/connect";
import { messageOfInit } from "../../wire/message-init.ts";
import { largeResponse, MalformedResponse } from "./call-errors.ts";
import type { Handle, Handler } from "./handler.ts";
import { interceptedHandle } from "./interceptors.ts";

type Init = MessageInitShape<DescMessage>;

/** A method that a server serves, with all that depends on the method alone. */
export class ServedMethod {
	readonly method: DescMethod;
	readonly streamsRequests: boolean;
	readonly streamsResponses: boolean;
	/** The handler, with the interceptors around it. */
	readonly handle: Handle;

	constructor(
		method: DescMethod,
		handler: Handler,
		interceptors: readonly Interceptor[],
	) {
		const { methodKind: kind } = method;
		this.method = method;
		this.streamsRequests =
			kind === "client_streaming" || kind === "bidi_streaming";
		this.streamsResponses =
			kind === "server_streaming" || kind === "bidi_streaming";
		this.handle =
			interceptors.length === 0
				? handler
				: interceptedHandle(this, handler, interceptors);
	}

	/** @throws Error for bytes that are no such message */
	decode(bytes: Uint8Array): Message {
		return fromBinary(this.method.input, bytes);
	}

	/** @throws MalformedResponse for what is neither a response nor its fields, ConnectError for one that is too large */
	encode(response: unknown, maxBytes: number): Uint8Array {
		const { output } = this.method;
		let bytes: Uint8Array;
		try {
			bytes = toBinary(output, messageOfInit(output, response as Init));
		} catch (cause) {
			throw new MalformedResponse(this.method, cause);
		}
		if (bytes.length > maxBytes) throw largeResponse(bytes.length, maxBytes);
		return bytes;
	}
}

/**
 * Finds the methods that an implementation implements.
 *
 * @throws TypeError if a member that should be a handler is no function, and if there is no handler at all
 */
export function servedMethods(
	service: DescService,
	implementation: object,
	interceptors: readonly Interceptor[],
): ServedMethod[] {
	const served: ServedMethod[] = [];
	for (const method of service.methods) {
		const handler = memberOf(implementation, method.localName);
		if (handler === undefined) continue;
		if (typeof handler !== "function") {
			throw new TypeError(
				`the implementation of ${service.typeName} has no function as ${method.localName}, but ${handler === null ? "null" : `a value of type ${typeof handler}`}`,
			);
		}
		const bound: Handler = handler.bind(implementation);
		served.push(new ServedMethod(method, bound, interceptors));
	}
	if (served.length === 0 && service.methods.length > 0) {
		throw new TypeError(
			`the implementation of ${service.typeName} has none of its methods: ${service.methods.map(({ localName }) => localName).join(", ")}`,
		);
	}
	return served;
}

/** Finds a member of an object or its classes. What every object has, such as "hasOwnProperty", is no handler. */
function memberOf(implementation: object, name: string): unknown {
	for (
		let holder: object | null = implementation;
		holder !== null && holder !== Object.prototype;
		holder = Object.getPrototypeOf(holder)
	) {
		if (Object.hasOwn(holder, name)) {
			return Reflect.get(holder, name, implementation);
		}
	}
	return undefined;
}
