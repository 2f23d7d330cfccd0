import { Code, ConnectError } from "@connectrpc/connect";
import type { SoakClient } from "../gen/soak_rpc.ts";
import { type SoakService, STREAMED } from "./service.ts";

/** What a call needs. */
export interface CallSetting {
	readonly client: SoakClient;
	readonly service: SoakService;
	/** A signal that all calls share and that is never aborted. */
	readonly signal: AbortSignal;
	/** The number of this call. */
	readonly number: number;
}

/** Makes one call. Throws if its result is not as expected. */
export type SoakCall = (setting: CallSetting) => Promise<void>;

/** A timeout in milliseconds that is longer than a normal call needs. */
const TIMEOUT_MS = 5;

/** Ten calls that succeed. */
export const GOOD_CALLS: readonly SoakCall[] = [
	...Array.from({ length: 6 }, () => unary),
	download,
	breakDownload,
	upload,
	chat,
];

export const CANCELLED_CALLS: readonly SoakCall[] = [
	cancelledBefore,
	cancelledAtOnce,
	cancelledAtTheServer,
	cancelledDownload,
	cancelledUpload,
	cancelledChat,
];

export const TIMED_OUT_CALLS: readonly SoakCall[] = [
	timedOut,
	timedOutDownload,
	timedOutUpload,
];

async function unary({ client, signal, number }: CallSetting): Promise<void> {
	same((await client.unary({ number }, { signal })).number, number);
}

async function download(setting: CallSetting): Promise<void> {
	const { client, signal, number } = setting;
	let count = 0;
	for await (const response of client.download({ number }, { signal })) {
		same(response.number, number);
		count++;
	}
	same(count, STREAMED);
}

async function breakDownload(setting: CallSetting): Promise<void> {
	const { client, signal, number } = setting;
	for await (const response of client.download({ number }, { signal })) {
		same(response.number, number);
		break;
	}
}

async function upload({ client, signal, number }: CallSetting): Promise<void> {
	const requests = Array.from({ length: STREAMED }, () => ({ number }));
	same((await client.upload(requests, { signal })).number, number);
}

async function chat({ client, signal, number }: CallSetting): Promise<void> {
	await using call = client.chat.open({ signal });
	for (let turn = 0; turn < STREAMED; turn++) {
		await call.send({ number });
		same((await call.recv())?.number, number);
	}
	await call.closeSend();
	same(await call.recv(), undefined);
}

async function cancelledBefore(setting: CallSetting): Promise<void> {
	const { client, number } = setting;
	const signal = AbortSignal.abort();
	await failing(Code.Canceled, client.unary({ number }, { signal }));
}

async function cancelledAtOnce(setting: CallSetting): Promise<void> {
	const { client, number } = setting;
	const controller = new AbortController();
	const { signal } = controller;
	const answer = client.unary({ number, hang: true }, { signal });
	controller.abort();
	await failing(Code.Canceled, answer);
}

async function cancelledAtTheServer(setting: CallSetting): Promise<void> {
	const { client, service, number } = setting;
	const controller = new AbortController();
	const { signal } = controller;
	const hanging = service.hanging(number);
	const answer = client.unary({ number, hang: true }, { signal });
	await Promise.race([hanging, answer]);
	controller.abort();
	await failing(Code.Canceled, answer);
}

async function cancelledDownload(setting: CallSetting): Promise<void> {
	const { client, signal, number } = setting;
	const call = client.download({ number, hang: true }, { signal });
	same((await call.recv())?.number, number);
	call.cancel();
	await failing(Code.Canceled, call.recv());
}

async function cancelledUpload(setting: CallSetting): Promise<void> {
	const { client, service, signal, number } = setting;
	const hanging = service.hanging(number);
	const call = client.upload.open({ signal });
	await call.send({ number, hang: true });
	await hanging;
	call.cancel();
	await failing(Code.Canceled, call.closeAndRecv());
}

async function cancelledChat(setting: CallSetting): Promise<void> {
	const { client, signal, number } = setting;
	const call = client.chat.open({ signal });
	await call.send({ number, hang: true });
	same((await call.recv())?.number, number);
	call.cancel();
	await failing(Code.Canceled, call.recv());
}

async function timedOut(setting: CallSetting): Promise<void> {
	const { client, signal, number } = setting;
	await failing(
		Code.DeadlineExceeded,
		client.unary({ number, hang: true }, { signal, timeoutMs: TIMEOUT_MS }),
	);
}

async function timedOutDownload(setting: CallSetting): Promise<void> {
	const { client, signal, number } = setting;
	const call = client.download(
		{ number, hang: true },
		{ signal, timeoutMs: TIMEOUT_MS },
	);
	const all = async (): Promise<void> => {
		for await (const response of call) same(response.number, number);
	};
	await failing(Code.DeadlineExceeded, all());
}

async function timedOutUpload(setting: CallSetting): Promise<void> {
	const { client, signal, number } = setting;
	await failing(
		Code.DeadlineExceeded,
		client.upload([{ number, hang: true }], {
			signal,
			timeoutMs: TIMEOUT_MS,
		}),
	);
}

async function failing(code: Code, answer: Promise<unknown>): Promise<void> {
	const error = await answer.then(
		() => undefined,
		(thrown: unknown) => thrown,
	);
	if (error instanceof ConnectError && error.code === code) return;
	throw new Error(`a call should have failed with ${Code[code]}`, {
		cause: error,
	});
}

function same<T>(actual: T, expected: T): void {
	if (actual !== expected) {
		throw new Error(`a call returned ${actual} instead of ${expected}`);
	}
}
