import type { ChannelState } from "../../src/balancer/balancer.ts";
import type { Connect } from "../../src/client/endpoint/connect.ts";
import {
	EndpointSubchannel,
	type SubchannelSetting,
} from "../../src/client/endpoint/subchannel.ts";
import { parseAddress } from "../../src/discovery/targets/address.ts";
import { DEFAULT_PACE } from "../../src/policy/backoff.ts";
import { FakeClock } from "./fake-clock.ts";
import type { FakeConnection } from "./fake-connection.ts";

/** A subchannel with a fake clock, and a record of its states. */
export interface ObservedSubchannel {
	readonly subchannel: EndpointSubchannel;
	readonly clock: FakeClock;
	/** All states that it has entered, with the texts of errors. */
	readonly heard: string[];
	/** Lets a call wait for room. It starts when there is room. */
	waitForRoom(): void;
	/** How many of these calls have started. */
	rooms(): number;
	/** Resolves when the subchannel is in the state. */
	reaches(state: ChannelState): Promise<void>;
}

export function observedSubchannel(
	address: string | readonly string[],
	connectIn: (clock: FakeClock) => Connect,
	setting: Partial<SubchannelSetting> = {},
	healthService?: string,
): ObservedSubchannel {
	const clock = new FakeClock();
	const heard: string[] = [];
	let rooms = 0;
	let news = Promise.withResolvers<void>();
	const subchannel = new EndpointSubchannel(
		{ address },
		[address].flat().map((one) => parseAddress(one, one)),
		{
			clock,
			random: () => 0.5,
			connect: connectIn(clock),
			scheme: "http",
			authority: "here.example",
			userAgent: "test",
			credentials: undefined,
			keepalive: undefined,
			silenceMs: Infinity,
			maxConnectionsPerEndpoint: 4,
			connectBackoff: DEFAULT_PACE,
			...setting,
		},
		{
			entered: (state, error) => {
				heard.push(error === undefined ? state : `${state}: ${error.message}`);
				news.resolve();
				news = Promise.withResolvers();
			},
			rests: () => false,
			lostOne: () => {},
			silent: () => {},
			silenceOver: () => {},
		},
		healthService,
	);
	return {
		subchannel,
		clock,
		heard,
		waitForRoom() {
			const waiting = {
				takeRoom(): void {
					rooms += 1;
					(subchannel.connection as FakeConnection).openCall();
				},
				pickAgain(): void {},
			};
			subchannel.queue.add(waiting);
		},
		rooms: () => rooms,
		async reaches(state) {
			while (subchannel.state !== state) await news.promise;
		},
	};
}
