import type { ConnectRouter } from "@connectrpc/connect";
import type { ServiceRegistrar } from "../generated.ts";

/**
 * Lets `Register<Service>Server` add to a Connect router, and so serve over Connect, gRPC-Web and HTTP/1.1, too.
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
