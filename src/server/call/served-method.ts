import type { DescMethod, DescService } from "@bufbuild/protobuf";
import type { Interceptor } from "@connectrpc/connect";
import type { Handle, Handler } from "./handler.ts";
import { ServerContext } from "./handler-context.ts";
import { interceptedHandle } from "./interceptors.ts";

/** A method that a server serves. */
export interface ServedMethod {
	readonly method: DescMethod;
	readonly handle: Handle;
}

/**
 * The methods that an implementation implements.
 *
 * @throws TypeError when something in the place of one is no function, and when there is none at all
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
		served.push({
			method,
			handle:
				interceptors.length === 0
					? (request, call) => bound(request, new ServerContext(call))
					: interceptedHandle(method, bound, interceptors),
		});
	}
	if (served.length === 0 && service.methods.length > 0) {
		throw new TypeError(
			`the implementation of ${service.typeName} has none of its methods: ${service.methods.map(({ localName }) => localName).join(", ")}`,
		);
	}
	return served;
}

/** A member that an object or one of its classes has: what every object has ("hasOwnProperty") is no handler. */
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
