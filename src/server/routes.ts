import type { DescService } from "@bufbuild/protobuf";
import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";
import { type ServedMethod, servedMethods } from "./call/served-method.ts";
import { Health } from "./gen/grpc/health/v1/health_pb.ts";

/** Finds the method, and so the handler, of a request by its path. */
export class Routes {
	readonly #interceptors: readonly Interceptor[];
	readonly #services: Map<string, DescService> = new Map();
	readonly #methods: Map<string, ServedMethod> = new Map();

	constructor(interceptors: readonly Interceptor[]) {
		this.#interceptors = interceptors;
	}

	/** The full names of the services, in the order in which they were added. */
	get services(): string[] {
		return [...this.#services.keys()];
	}

	/** @throws Error for a service that was added before, TypeError for an implementation that does not fit */
	add(service: DescService, implementation: object): void {
		const name = service.typeName;
		if (this.#services.has(name)) {
			throw new Error(
				name === Health.typeName
					? `${name} is there already, as a server serves it by itself; to add another one, make the server with health: false`
					: `${name} was added before; a server serves one implementation of a service`,
			);
		}
		const served = servedMethods(service, implementation, this.#interceptors);
		this.#services.set(name, service);
		for (const one of served) {
			this.#methods.set(`/${name}/${one.method.name}`, one);
		}
	}

	find(path: string): ServedMethod | undefined {
		return this.#methods.get(path);
	}

	/** Says why there is no method for a path. */
	whyNot(path: string): ConnectError {
		const [, serviceName = "", methodName = ""] =
			/^\/([^/]*)\/(.*)$/s.exec(path) ?? [];
		const service = this.#services.get(serviceName);
		const method = service?.methods.find(({ name }) => name === methodName);
		return new ConnectError(
			service === undefined
				? `this server has no service "${serviceName || path}"`
				: method === undefined
					? `the service ${serviceName} has no method "${methodName}"`
					: `${serviceName}/${methodName} is not implemented`,
			Code.Unimplemented,
		);
	}
}
