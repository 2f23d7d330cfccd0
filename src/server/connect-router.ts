import type { ConnectRouter } from "@connectrpc/connect";
import type { ServiceRegistrar } from "../generated.ts";

/**
 * Lets `Register<Service>Server` add a service to a Connect router. Use it to serve the same implementation over Connect's
 * protocol, gRPC-Web and HTTP/1.1 as well.
 *
 * ```ts
 * fastify.register(fastifyConnectPlugin, {
 * 	routes: (router) => RegisterPaymentServer(onConnectRouter(router), payments),
 * });
 * ```
 */
export function onConnectRouter(router: ConnectRouter): ServiceRegistrar {
	return {
		add: (service, implementation) => router.service(service, implementation),
	};
}
