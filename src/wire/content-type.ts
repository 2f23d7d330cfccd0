/** Whether a content-type is gRPC's: `application/grpc`, or with `+proto` or parameters behind it. */
export function isGrpc(contentType: string | undefined): boolean {
	return (
		contentType === "application/grpc" ||
		contentType === "application/grpc+proto" ||
		(contentType !== undefined &&
			/^application\/grpc(\+proto)?\s*(;|$)/.test(contentType))
	);
}
