import type { DescMessage } from "@bufbuild/protobuf";
import type { PreparedHead } from "../../wire/prepared-head.ts";
import type { ChannelCore } from "../channel/channel-core.ts";
import { isIdempotent, type PolicySource } from "../options/method-policies.ts";
import type { MethodOf } from "./caller.ts";

/** One method of one client over a channel: what all its calls have in common, computed once. */
export class PreparedMethod<
	I extends DescMessage = DescMessage,
	O extends DescMessage = DescMessage,
> {
	readonly method: MethodOf<I, O>;
	readonly core: ChannelCore;
	readonly policies: PolicySource;
	readonly head: PreparedHead;
	readonly isUnary: boolean;
	readonly isIdempotent: boolean;

	constructor(
		method: MethodOf<I, O>,
		core: ChannelCore,
		policies: PolicySource,
	) {
		this.method = method;
		this.core = core;
		this.policies = policies;
		this.head = core.headOf(method);
		this.isUnary = method.methodKind === "unary";
		this.isIdempotent = isIdempotent(method);
	}
}
