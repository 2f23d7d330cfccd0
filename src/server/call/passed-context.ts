import type { DescMethod, DescService } from "@bufbuild/protobuf";
import type {
	ContextValues,
	HandlerContext,
	StreamRequest,
	UnaryRequest,
} from "@connectrpc/connect";
import { type CallScope, callScope } from "../../policy/call-scope.ts";
import type { HandledCall } from "./handler.ts";
import { contextPeer, type Peer } from "./peer.ts";

/** The context of a handler behind interceptors that have passed on another request than they got: its header, signal and values count. */
export class PassedContext implements HandlerContext {
	readonly #call: HandledCall;
	readonly #request: UnaryRequest | StreamRequest;

	constructor(call: HandledCall, request: UnaryRequest | StreamRequest) {
		this.#call = call;
		this.#request = request;
	}

	get method(): DescMethod {
		return this.#call.method;
	}

	get service(): DescService {
		return this.#call.service;
	}

	get requestMethod(): string {
		return this.#call.requestMethod;
	}

	get protocolName(): string {
		return this.#call.protocolName;
	}

	get url(): string {
		return this.#call.url;
	}

	get timeoutMs(): () => number | undefined {
		return this.#call.timeoutMs;
	}

	get signal(): AbortSignal {
		return this.#request.signal ?? this.#call.signal;
	}

	get requestHeader(): Headers {
		return this.#request.header ?? this.#call.requestHeader;
	}

	get values(): ContextValues {
		return this.#request.contextValues ?? this.#call.values;
	}

	get responseHeader(): Headers {
		return this.#call.responseHeader;
	}

	get responseTrailer(): Headers {
		return this.#call.responseTrailer;
	}

	get [callScope](): CallScope {
		return this.#call[callScope];
	}

	get [contextPeer](): Peer {
		return this.#call[contextPeer];
	}
}
