import type { DescMethod, Message } from "@bufbuild/protobuf";
import type {
	Interceptor,
	StreamRequest,
	StreamResponse,
	UnaryRequest,
	UnaryResponse,
} from "@connectrpc/connect";
import { messageOfInit } from "../../wire/message-init.ts";
import { type Handle, type Handler, streamsOf } from "./handler.ts";
import { type CallParts, ServerContext } from "./handler-context.ts";
import { oneMessage, onlyMessage, toMessages } from "./message-iterables.ts";
import { iteratedInContext } from "./scopes.ts";

type Next = ReturnType<Interceptor>;

/** A handler with Connect's interceptors around it, of which the first is the outermost. */
export function interceptedHandle(
	method: DescMethod,
	handler: Handler,
	interceptors: readonly Interceptor[],
): Handle {
	return async (input, call) => {
		const context = new ServerContext(call);
		const next = interceptors.reduceRight(
			(inner, interceptor) =>
				interceptor(streamsOf(method).response ? inContext(inner) : inner),
			innermost(method, handler, call, context),
		);
		const response = await next(toRequest(method, input, context));
		call.header = response.header;
		call.trailer = response.trailer;
		return response.stream && !streamsOf(method).response
			? onlyMessage(response.message, "response message")
			: response.message;
	};
}

/**
 * An interceptor calls `next` inside of what it has entered, such as a span, and has left that by the time the messages
 * of the response are asked for: each step of their iteration goes back to where `next` was called.
 */
function inContext(next: Next): Next {
	return async (request) => {
		const iterated = iteratedInContext();
		const response = await next(request);
		return response.stream
			? ({ ...response, message: iterated(response.message) } as StreamResponse)
			: response;
	};
}

/** Calls the handler with what the interceptors have made of the request. */
function innermost(
	method: DescMethod,
	handler: Handler,
	call: CallParts,
	context: ServerContext,
): Next {
	const streams = streamsOf(method);
	return async (request) => {
		const input =
			request.stream && !streams.request
				? await onlyMessage(request.message, "request message")
				: request.message;
		const output = handler(input, new ServerContext(call, request));
		return {
			stream: request.stream,
			service: method.parent,
			method,
			header: context.responseHeader,
			trailer: context.responseTrailer,
			message: streams.response
				? toMessages(method.output, output)
				: only(messageOfInit(method.output, await output), request.stream),
		} as UnaryResponse | StreamResponse;
	};
}

/** Connect knows two forms of calls: unary ones, and those of which both sides stream. */
function only(
	message: Message,
	inStream: boolean,
): Message | AsyncIterable<Message> {
	return inStream ? oneMessage(message) : message;
}

/** The request as interceptors see it: a plain object that they may spread, and that makes its dear parts when asked. */
function toRequest(
	method: DescMethod,
	input: unknown,
	context: ServerContext,
): UnaryRequest | StreamRequest {
	const stream = method.methodKind !== "unary";
	return {
		stream,
		service: method.parent,
		method,
		requestMethod: context.requestMethod,
		url: context.url,
		get signal(): AbortSignal {
			return context.signal;
		},
		get header(): Headers {
			return context.requestHeader;
		},
		get contextValues() {
			return context.values;
		},
		message: streamsOf(method).request ? input : only(input as Message, stream),
	} as UnaryRequest | StreamRequest;
}
