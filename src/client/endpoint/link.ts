import { formatDuration } from "../../checks/duration.ts";
import type { Address } from "../../discovery/targets/address.ts";
import type { Clock } from "../../policy/clock.ts";
import type { ClientConnection } from "../../wire/connection.ts";
import type { Connect, ConnectListener } from "./connect.ts";
import { type KeepalivePace, KeepaliveWatch } from "./keepalive.ts";
import { PingBudget } from "./ping-budget.ts";
import { Probe } from "./probe.ts";
import type { Life } from "./short-lives.ts";
import { type SilenceListener, SilenceWatch } from "./silence-watch.ts";

/** What a link needs of its channel. */
export interface LinkSetting {
	readonly connect: Connect;
	readonly clock: Clock;
	readonly keepalive: KeepalivePace | undefined;
	/** Of silence while calls wait, before a peer is asked whether it is there, in milliseconds. */
	readonly silenceMs: number;
}

export interface LinkOwner {
	/** Takes no new calls from now on. `error`: why, if it was this side that gave it up. Once. */
	lost(link: Link, error: Error | undefined): void;
	/** It is gone, and so are its calls. Once, after `lost`. */
	closed(link: Link): void;
	/** There is room for a call again. */
	room(): void;
	/** Its peer has fallen silent, or was heard again: `isSilent` tells. */
	silence(link: Link): void;
}

/** A connection that has lasted for so long, in milliseconds, has served, though no call was answered. */
const PROVEN_MS = 1000;

/** How long a peer in doubt has to answer, in milliseconds. */
const DOUBT_MS = 1000;

/** One connection of a subchannel, and whether its peer is still there. */
export class Link implements Life, SilenceListener {
	readonly connection: ClientConnection;
	readonly address: Address;
	/** When it was begun. */
	readonly startedAt: number;
	readonly #setting: LinkSetting;
	readonly #owner: LinkOwner;
	// Most connections of a large service have no calls, and most peers answer: what watches over them is made with the first need.
	#doubt: Probe | undefined;
	#budget: PingBudget | undefined;
	#silence: SilenceWatch | undefined;
	readonly #keepalive: KeepaliveWatch | undefined;
	readonly #madeAt: number;
	#lost = false;
	#retired = false;

	constructor(
		connection: ClientConnection,
		address: Address,
		startedAt: number,
		setting: LinkSetting,
		owner: LinkOwner,
	) {
		const { clock, keepalive } = setting;
		this.connection = connection;
		this.address = address;
		this.startedAt = startedAt;
		this.#setting = setting;
		this.#madeAt = clock.now();
		this.#owner = owner;
		this.#keepalive =
			keepalive &&
			new KeepaliveWatch(connection, keepalive, clock, () =>
				this.#giveUp(keepalive.timeoutMs),
			);
	}

	/** It takes no new calls. */
	get isLost(): boolean {
		return this.#lost;
	}

	get hasServed(): boolean {
		return (
			this.connection.responses > 0 ||
			this.#setting.clock.now() - this.#madeAt >= PROVEN_MS
		);
	}

	/** It was this side that wanted another one. */
	get isRetired(): boolean {
		return this.#retired;
	}

	/** Calls wait for its peer, which does not answer: no new ones should. */
	get isSilent(): boolean {
		return this.#silence?.isSilent ?? false;
	}

	/** A call is about to be sent. */
	noteCall(): void {
		(this.#silence ?? this.#watched()).wait();
	}

	/** Asks whether the peer is still there, and ends the connection if it does not answer. */
	doubt(): void {
		if (this.#silence?.isStillSilent()) this.#giveUp(DOUBT_MS);
		else if (this.#doubt?.isWaiting) return;
		else if (this.#pings().take()) this.#ask();
		else this.retire();
	}

	silent(): void {
		this.#owner.silence(this);
	}

	heardAgain(): void {
		this.#owner.silence(this);
	}

	givenUp(afterMs: number): void {
		this.#giveUp(afterMs);
	}

	heardGoaway(): void {
		this.#lose(undefined);
	}

	heardClose(): void {
		this.#doubt?.stop();
		this.#silence?.stop();
		this.#keepalive?.stop();
		this.#lose(undefined);
		this.#owner.closed(this);
	}

	/** Takes no new calls; those that it has finish. It has been asked as often as a server bears, or replaced. */
	retire(): void {
		this.#retired = true;
		this.#lose(undefined);
		this.connection.close();
	}

	#watched(): SilenceWatch {
		this.#silence = new SilenceWatch(
			this.connection,
			this.#setting,
			this.#pings(),
			this,
		);
		return this.#silence;
	}

	#pings(): PingBudget {
		this.#budget ??= new PingBudget(this.connection);
		return this.#budget;
	}

	#ask(): void {
		this.#doubt ??= new Probe(this.connection, this.#setting.clock, DOUBT_MS, {
			answered: () => {},
			silent: () => this.#giveUp(DOUBT_MS),
		});
		this.#doubt.ask();
	}

	#giveUp(waitedMs: number): void {
		const error = new Error(
			`no answer to a PING in ${formatDuration(waitedMs)}: the peer is stopped, or cut off`,
		);
		this.#lose(error);
		this.connection.destroy(error);
	}

	#lose(error: Error | undefined): void {
		if (this.#lost) return;
		this.#lost = true;
		this.#owner.lost(this, error);
	}
}

/** Connects to one address. The owner may hear of the link's end before it has the link. */
export async function connectLink(
	address: Address,
	setting: LinkSetting,
	owner: LinkOwner,
	signal: AbortSignal,
): Promise<Link> {
	const startedAt = setting.clock.now();
	const ear = new LinkEar(setting, owner);
	const connection = await setting.connect(address, ear, signal);
	const link = new Link(connection, address, startedAt, setting, owner);
	ear.link(link);
	return link;
}

/** Hears of a connection for its link, which may not be made yet. */
class LinkEar implements ConnectListener {
	readonly #setting: LinkSetting;
	readonly #owner: LinkOwner;
	#link: Link | undefined;
	/** What was heard before. */
	#hadGoaway = false;
	#isClosed = false;

	constructor(setting: LinkSetting, owner: LinkOwner) {
		this.#setting = setting;
		this.#owner = owner;
	}

	link(link: Link): void {
		this.#link = link;
		if (this.#hadGoaway) link.heardGoaway();
		if (this.#isClosed) link.heardClose();
	}

	accepted(): void {}

	room(): void {
		this.#owner.room();
	}

	goaway(goaway: { code: number; debugData: string }): void {
		this.#setting.keepalive?.heardGoaway(goaway);
		this.#hadGoaway = true;
		this.#link?.heardGoaway();
	}

	closed(): void {
		this.#isClosed = true;
		this.#link?.heardClose();
	}
}
