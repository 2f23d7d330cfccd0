/** An EndpointSlice of discovery.k8s.io/v1, as the API server sends it. */
export interface SliceObject {
	readonly metadata: {
		readonly name: string;
		readonly namespace: string;
		readonly labels: Readonly<Record<string, string>>;
		readonly resourceVersion?: string;
	};
	readonly addressType: string;
	readonly ports?: readonly object[] | null;
	readonly endpoints?: readonly object[] | null;
}

/** Makes a slice of the service payment in the namespace shop. Endpoints have the port 50051 or their own. */
export function slice(
	name: string,
	endpoints: readonly (string | object)[],
	more: Partial<SliceObject> & {
		readonly service?: string;
		readonly namespace?: string;
	} = {},
): SliceObject {
	const { service = "payment", namespace = "shop", ...fields } = more;
	return {
		metadata: {
			name,
			namespace,
			labels: { "kubernetes.io/service-name": service },
		},
		addressType: "IPv4",
		ports: [{ name: "grpc", port: 50051, protocol: "TCP" }],
		endpoints: endpoints.map((endpoint) =>
			typeof endpoint === "string"
				? { addresses: [endpoint], conditions: { ready: true } }
				: endpoint,
		),
		...fields,
	};
}
