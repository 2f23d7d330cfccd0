import type { Pick, Subchannel } from "./balancer.ts";
import type { Member } from "./every-endpoint.ts";
import { GRAVE, type LoadTable, type Outcome } from "./load-table.ts";

/** An endpoint with its row in the table, and the picks that keep it. */
export class EndpointLoad implements Member {
	readonly subchannel: Subchannel;
	readonly table: LoadTable;
	/** Made once, so that a call makes no object of its own. */
	readonly unary: Pick;
	readonly stream: Pick;
	row: number;

	constructor(subchannel: Subchannel, weight: number, table: LoadTable) {
		this.subchannel = subchannel;
		this.table = table;
		this.row = table.join(weight);
		this.unary = new LoadPick(this, true);
		this.stream = new LoadPick(this, false);
	}

	get weight(): number {
		return this.table.weight(this.row);
	}

	set weight(weight: number) {
		this.table.setWeight(this.row, weight);
	}

	/** Calls may still be in flight, and end. */
	leave(): void {
		this.table.leave(this.row);
		this.row = GRAVE;
	}
}

class LoadPick {
	readonly kind = "subchannel";
	readonly subchannel: Subchannel;
	readonly #load: EndpointLoad;
	readonly #isUnary: boolean;

	constructor(load: EndpointLoad, isUnary: boolean) {
		this.subchannel = load.subchannel;
		this.#load = load;
		this.#isUnary = isUnary;
	}

	started(): void {
		const { table, row } = this.#load;
		table.started(row, this.#isUnary);
	}

	ended(outcome: Outcome): void {
		const { table, row } = this.#load;
		table.ended(row, outcome, this.#isUnary);
	}
}
