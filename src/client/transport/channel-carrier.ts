import type {
	DescMessage,
	DescMethod,
	DescMethodStreaming,
	DescMethodUnary,
	MessageInitShape,
	MessageShape,
} from "@bufbuild/protobuf";
import type { StreamResponse, UnaryResponse } from "@connectrpc/connect";
import type { Clock } from "../../policy/clock.ts";
import type { Deadlines } from "../../policy/deadlines.ts";
import type { CompiledServiceConfig } from "../../policy/service-config.ts";
import type { CallEnd } from "../../wire/connection.ts";
import { toHeaders } from "../../wire/metadata.ts";
import { encodeMessage } from "../call/message-codec.ts";
import { PreparedMethod } from "../call/prepared-method.ts";
import { StreamCall } from "../call/stream-call.ts";
import { callUnary } from "../call/unary-call.ts";
import type { ChannelCore } from "../channel/channel-core.ts";
import type { CarriedCall, Carrier } from "./carrier.ts";

/** Carries calls over a channel. */
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

	get deadlines(): Deadlines {
		return this.#core.deadlines;
	}

	get serviceConfigs(): readonly CompiledServiceConfig[] {
		return this.#core.serviceConfigs;
	}

	unary<I extends DescMessage, O extends DescMessage>(
		call: CarriedCall<DescMethodUnary<I, O>>,
		input: MessageInitShape<I>,
	): Promise<UnaryResponse<I, O>> {
		return new Promise((resolve, reject) => {
			const { method } = call;
			const answered = (message: MessageShape<O>, end: CallEnd): void =>
				resolve({
					stream: false,
					service: method.parent,
					method,
					header: toHeaders(end.headers),
					trailer: toHeaders(end.trailers),
					message,
				});
			const encoded = encodeMessage(method.input, input);
			callUnary<O>(this.#prepared(call), call, encoded, answered, reject);
		});
	}

	async stream<I extends DescMessage, O extends DescMessage>(
		call: CarriedCall<DescMethodStreaming<I, O>>,
		input: AsyncIterable<MessageInitShape<I>>,
		ended: (error?: unknown) => void,
	): Promise<StreamResponse<I, O>> {
		const { method } = call;
		const trailer = new Headers();
		const prepared = this.#prepared(call) as PreparedMethod<I, O>;
		const stream = new StreamCall<I, O>(prepared, call, {
			onTrailer: (received) => {
				for (const [name, value] of received) trailer.append(name, value);
			},
		});
		stream.trailer.then(() => ended(), ended);
		stream.start();
		stream.sendAll(input);
		return {
			stream: true,
			service: method.parent,
			method,
			header: await stream.header,
			trailer,
			message: stream,
		};
	}

	/** All calls of a method come with the same `policies`. */
	#prepared({ method, policies }: CarriedCall): PreparedMethod {
		let prepared = this.#methods.get(method);
		if (prepared === undefined) {
			prepared = new PreparedMethod(method, this.#core, policies);
			this.#methods.set(method, prepared);
		}
		return prepared;
	}
}
