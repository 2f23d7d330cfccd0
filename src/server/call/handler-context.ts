import type { DescMethod, DescService } from "@bufbuild/protobuf";
import {
	type ContextValues,
	createContextValues,
	type HandlerContext,
	type StreamRequest,
	type UnaryRequest,
} from "@connectrpc/connect";
import { type CallScope, callScope } from "../../policy/call-scope.ts";
import type { RawHeaders } from "../../wire/headers.ts";
import { toHeaders } from "../../wire/metadata.ts";
import type { CallLifetime } from "./call-lifetime.ts";
import { contextPeer, type Peer } from "./peer.ts";
import type { RequestHead } from "./request-head.ts";

/** What the context of a call is made from, and what it leaves behind. */
export interface CallParts {
	readonly method: DescMethod;
	readonly head: RequestHead;
	readonly headers: RawHeaders;
	readonly lifetime: CallLifetime;
	readonly peer: Peer;
	/** Of the response; undefined while nobody has asked for them. */
	header: Headers | undefined;
	trailer: Headers | undefined;
}

/** Connect's HandlerContext, each part of which is made when it is first asked for. */
export class ServerContext implements HandlerContext {
	readonly #call: CallParts;
	readonly #request: UnaryRequest | StreamRequest | undefined;
	#requestHeader: Headers | undefined;
	#values: ContextValues | undefined;

	/** `request`: as an interceptor has passed it on, with header, signal and values perhaps its own. */
	constructor(call: CallParts, request?: UnaryRequest | StreamRequest) {
		this.#call = call;
		this.#request = request;
	}

	get method(): DescMethod {
		return this.#call.method;
	}

	get service(): DescService {
		return this.#call.method.parent;
	}

	get requestMethod(): string {
		return this.#call.head.method;
	}

	get protocolName(): string {
		return "grpc";
	}

	get url(): string {
		const { scheme, authority, path } = this.#call.head;
		return `${scheme}://${authority}${path}`;
	}

	get timeoutMs(): () => number | undefined {
		const { lifetime } = this.#call;
		return () => lifetime.remainingMs;
	}

	get signal(): AbortSignal {
		return this.#request?.signal ?? this.#call.lifetime.signal;
	}

	get requestHeader(): Headers {
		this.#requestHeader ??=
			this.#request?.header ?? toHeaders(this.#call.headers);
		return this.#requestHeader;
	}

	get values(): ContextValues {
		this.#values ??= this.#request?.contextValues ?? createContextValues();
		return this.#values;
	}

	get responseHeader(): Headers {
		this.#call.header ??= new Headers();
		return this.#call.header;
	}

	get responseTrailer(): Headers {
		this.#call.trailer ??= new Headers();
		return this.#call.trailer;
	}

	get [callScope](): CallScope {
		return this.#call.lifetime;
	}

	get [contextPeer](): Peer {
		return this.#call.peer;
	}
}
