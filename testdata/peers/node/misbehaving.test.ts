/** The table of misbehaviours, held against grpc-go. */

import { testAgainstMisbehaving } from "./against-misbehaving.ts";
import { goClient, goMissing } from "./go.ts";

// What grpc-go makes of them where its ways are not those of gRPC's documents.
const deviations: Readonly<Record<string, number>> = {
	"answers HTTP 431 with a page": 2,
	"answers HTTP 431 and no more": 2,
	'sends grpc-status "-1"': -1,
	'sends grpc-status "17"': 17,
	"sends malformed details": 13,
	"sends no message, and OK": 13,
	"sends OK in Trailers-Only": 13,
	"sends two messages": 13,
	"resets the stream with FLOW_CONTROL_ERROR": 8,
	"resets the stream with FLOW_CONTROL_ERROR after a message": 8,
	"sends headers without :status": 0,
	"sends a PUSH_PROMISE": 4,
	"overflows the stream's window": 4,
};

testAgainstMisbehaving(goClient, deviations, goMissing);
