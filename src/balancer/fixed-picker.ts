import type { Pick, Picker, Subchannel } from "./balancer.ts";

/** Gives every call the same answer. */
export class FixedPicker implements Picker {
	readonly answer: Pick;

	constructor(answer: Pick) {
		this.answer = answer;
	}

	pick(): Pick {
		return this.answer;
	}
}

/** While there is neither a connection nor a reason to give up. */
export const waitPicker: Picker = new FixedPicker({ kind: "wait" });

export function failPicker(error: Error): Picker {
	return new FixedPicker({ kind: "fail", error });
}

export function subchannelPicker(subchannel: Subchannel): Picker {
	return new FixedPicker({ kind: "subchannel", subchannel });
}
