import type {
	DescMessage,
	DescMethod,
	DescMethodStreaming,
	DescMethodUnary,
	MessageInitShape,
	MessageShape,
} from "@bufbuild/protobuf";
import type {
	ContextValues,
	StreamResponse,
	UnaryResponse,
} from "@connectrpc/connect";
import type { Clock } from "../../policy/clock.ts";
import type { CompiledServiceConfig } from "../../policy/service-config.ts";
import type { CallEnd } from "../../wire/connection.ts";
import { toHeaders } from "../../wire/metadata.ts";
import type { CallRequest } from "../call/call-request.ts";
import { encodeMessage } from "../call/message-codec.ts";
import { PreparedMethod } from "../call/prepared-method.ts";
import { StreamCall } from "../call/stream-call.ts";
import { callUnary } from "../call/unary-call.ts";
import type { ChannelCore } from "../channel/channel-core.ts";
import type { Carrier } from "./intercepted-transport.ts";

/** Carries the calls of a Connect Transport over a channel of homing's own. */
export class ChannelCarrier implements Carrier {
	readonly #core: ChannelCore;
	readonly origin: string;
	readonly #methods = new Map<DescMethod, PreparedMethod>();

	constructor(core: ChannelCore) {
		this.#core = core;
		this.origin = `${core.setting.scheme}://${core.setting.authority}`;
	}

	get clock(): Clock {
		return this.#core.setting.clock;
	}

	get serviceConfigs(): readonly CompiledServiceConfig[] {
		return this.#core.serviceConfigs;
	}

	unary<I extends DescMessage, O extends DescMessage>(
		method: DescMethodUnary<I, O>,
		request: CallRequest,
		input: MessageInitShape<I>,
	): Promise<UnaryResponse<I, O>> {
		return new Promise((resolve, reject) => {
			const encoded = encodeMessage(method.input, input);
			const answered = (message: MessageShape<O>, end: CallEnd): void =>
				resolve({
					stream: false,
					service: method.parent,
					method,
					header: toHeaders(end.headers),
					trailer: toHeaders(end.trailers),
					message,
				});
			callUnary<O>(this.#prepared(request), request, encoded, answered, reject);
		});
	}

	async stream<I extends DescMessage, O extends DescMessage>(
		method: DescMethodStreaming<I, O>,
		request: CallRequest,
		input: AsyncIterable<MessageInitShape<I>>,
		_contextValues: ContextValues,
		ended: (error?: unknown) => void,
	): Promise<StreamResponse<I, O>> {
		const trailer = new Headers();
		const call = new StreamCall<I, O>(
			this.#prepared(request) as PreparedMethod<I, O>,
			request,
			{
				onTrailer: (received) => {
					for (const [name, value] of received) trailer.append(name, value);
				},
			},
		);
		call.trailer.then(() => ended(), ended);
		call.start();
		call.sendAll(input);
		return {
			stream: true,
			service: method.parent,
			method,
			header: await call.header,
			trailer,
			message: call,
		};
	}

	#prepared({ method, policies }: CallRequest): PreparedMethod {
		let prepared = this.#methods.get(method);
		if (prepared === undefined) {
			prepared = new PreparedMethod(method, this.#core, policies);
			this.#methods.set(method, prepared);
		}
		return prepared;
	}
}
