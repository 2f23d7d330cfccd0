/**
 * Servers that misbehave, each with the status with which a client's call must end:
 *
 *     for (const { name, codes, start } of misbehaviours) {
 *       const server = await start(); // address, ca, requests, stop()
 *       // A unary call of any method, with a deadline of a second or two and
 *       // without a retry policy, ends with one of `codes`.
 *     }
 *
 * | group                     | what is wrong                               |
 * |---------------------------|---------------------------------------------|
 * | `headMisbehaviours`       | HTTP status, content-type                   |
 * | `statusMisbehaviours`     | grpc-status, its message, binary metadata   |
 * | `messageMisbehaviours`    | number, framing and compression of messages |
 * | `resetMisbehaviours`      | RST_STREAM with each code, early and late   |
 * | `goAwayMisbehaviours`     | GOAWAY and lost connections                 |
 * | `unusualFrames`           | nothing, but unusual: calls succeed         |
 * | `brokenFrames`            | HTTP/2 itself                               |
 * | `connectionMisbehaviours` | no HTTP/2, or no answer                     |
 * | `tlsMisbehaviours`        | certificates, ALPN                          |
 */

import {
	connectionMisbehaviours,
	tlsMisbehaviours,
} from "./misbehaving/connections.ts";
import {
	brokenFrames,
	goAwayMisbehaviours,
	resetMisbehaviours,
	unusualFrames,
} from "./misbehaving/frames.ts";
import type { Misbehaviour } from "./misbehaving/misbehaviour.ts";
import {
	headMisbehaviours,
	messageMisbehaviours,
	statusMisbehaviours,
} from "./misbehaving/responses.ts";

export const misbehaviours: readonly Misbehaviour[] = [
	...headMisbehaviours,
	...statusMisbehaviours,
	...messageMisbehaviours,
	...resetMisbehaviours,
	...goAwayMisbehaviours,
	...unusualFrames,
	...brokenFrames,
	...connectionMisbehaviours,
	...tlsMisbehaviours,
];

export type {
	MisbehavingServer,
	Misbehaviour,
} from "./misbehaving/misbehaviour.ts";
export {
	brokenFrames,
	connectionMisbehaviours,
	goAwayMisbehaviours,
	headMisbehaviours,
	messageMisbehaviours,
	resetMisbehaviours,
	statusMisbehaviours,
	tlsMisbehaviours,
	unusualFrames,
};
