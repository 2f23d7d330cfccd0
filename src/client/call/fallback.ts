import type { DescMethod, MessageInitShape } from "@bufbuild/protobuf";
import { toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { showable } from "../../policy/showable.ts";
import { messageOfInit } from "../../wire/message-init.ts";
import type { CircuitBreakerOptions } from "../options/circuit-breaker-options.ts";
import type { CallInfo } from "../options/hooks.ts";

/**
 * Asks `circuitBreaker.fallback` for the response of a call that an open breaker has refused. Resolves with the response,
 * encoded as a server's would be. Rejects with the error that the fallback has thrown, as ConnectError, or with INTERNAL
 * if it gave no response.
 */
export async function responseInstead(
	fallback: NonNullable<CircuitBreakerOptions["fallback"]>,
	{ output }: DescMethod,
	call: CallInfo,
	refusal: ConnectError,
): Promise<Uint8Array> {
	let given: unknown;
	try {
		given = await fallback(call, refusal);
	} catch (error) {
		throw ConnectError.from(showable(error));
	}
	try {
		const init = given as MessageInitShape<typeof output> | undefined;
		return toBinary(output, messageOfInit(output, init));
	} catch (error) {
		const why = error instanceof Error ? error.message : String(error);
		throw new ConnectError(
			`circuitBreaker.fallback returned no ${output.typeName}: ${why}`,
			Code.Internal,
		);
	}
}
