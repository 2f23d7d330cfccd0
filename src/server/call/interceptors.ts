import type { DescMethod, Message } from "@bufbuild/protobuf";
import type {
	Interceptor,
	StreamRequest,
	StreamResponse,
	UnaryRequest,
	UnaryResponse,
} from "@connectrpc/connect";
import { messageOfInit } from "../../wire/message-init.ts";
import type { Handle, HandledCall, Handler } from "./handler.ts";
import { oneMessage, onlyMessage, toMessages } from "./message-iterables.ts";
import { PassedContext } from "./passed-context.ts";
import { iteratedInContext } from "./scopes.ts";

type Next = ReturnType<Interceptor>;

/** What an interceptor's request and response need to know of their method. */
interface Method {
	readonly method: DescMethod;
	readonly streamsRequests: boolean;
	readonly streamsResponses: boolean;
}

/** Puts Connect's interceptors around a handler; the first is the outermost. */
export function interceptedHandle(
	served: Method,
	handler: Handler,
	interceptors: readonly Interceptor[],
): Handle {
	const { streamsResponses } = served;
	return async (input, call) => {
		const request = toRequest(served, input, call);
		const next = interceptors.reduceRight(
			(inner, interceptor) =>
				interceptor(streamsResponses ? inContext(inner) : inner),
			innermost(served, handler, call, request),
		);
		const response = await next(request);
		call.setResponseMetadata(response.header, response.trailer);
		return response.stream && !streamsResponses
			? onlyMessage(response.message, "response message")
			: response.message;
	};
}

/**
 * An interceptor calls `next` inside an asynchronous context that it has entered, such as a span, and has left it by the
 * time the messages of the response are read. Each step of their iteration goes back to the context in which `next` was
 * called.
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

/** Calls the handler with what the interceptors have made of the original request. */
function innermost(
	{ method, streamsRequests, streamsResponses }: Method,
	handler: Handler,
	call: HandledCall,
	original: UnaryRequest | StreamRequest,
): Next {
	return async (request) => {
		const input =
			request.stream && !streamsRequests
				? await onlyMessage(request.message, "request message")
				: request.message;
		const context =
			request === original ? call : new PassedContext(call, request);
		const output = handler(input, context);
		return {
			stream: request.stream,
			service: method.parent,
			method,
			header: call.responseHeader,
			trailer: call.responseTrailer,
			message: streamsResponses
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

/** The request as interceptors see it: a plain object that they may spread, and that creates its expensive parts lazily. */
function toRequest(
	{ method, streamsRequests }: Method,
	input: unknown,
	call: HandledCall,
): UnaryRequest | StreamRequest {
	const stream = method.methodKind !== "unary";
	return {
		stream,
		service: method.parent,
		method,
		requestMethod: call.requestMethod,
		url: call.url,
		get signal(): AbortSignal {
			return call.signal;
		},
		get header(): Headers {
			return call.requestHeader;
		},
		get contextValues() {
			return call.values;
		},
		message: streamsRequests ? input : only(input as Message, stream),
	} as UnaryRequest | StreamRequest;
}
