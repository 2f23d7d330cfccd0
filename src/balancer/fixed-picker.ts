import type { Pick, Picker, Subchannel } from "./balancer.ts";

/** A picker with the same answer for every call. */
export class FixedPicker implements Picker {
	readonly answer: Pick;

	constructor(answer: Pick) {
		this.answer = answer;
	}

	pick(): Pick {
		return this.answer;
	}
}

/** Makes calls wait. */
export const waitPicker: Picker = new FixedPicker({ kind: "wait" });

export function failPicker(error: Error): Picker {
	return new FixedPicker({ kind: "fail", error });
}

export function subchannelPicker(subchannel: Subchannel): Picker {
	return new FixedPicker({ kind: "subchannel", subchannel });
}
