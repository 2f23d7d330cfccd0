/** Runs the misbehaving servers against grpc-go's client. */

import { testAgainstMisbehaving } from "./against-misbehaving.ts";
import { goClient, goMissing } from "./go.ts";

// Where grpc-go does something else than gRPC's documents say.
const deviations: Readonly<Record<string, { code: number }>> = {
	"answers HTTP 431 with a page": { code: 2 },
	"answers HTTP 431 and no more": { code: 2 },
	'sends grpc-status "-1"': { code: -1 },
	'sends grpc-status "17"': { code: 17 },
	"sends malformed details": { code: 13 },
	"sends no message, and OK": { code: 13 },
	"sends OK in Trailers-Only": { code: 13 },
	"sends two messages": { code: 13 },
	"resets the stream with FLOW_CONTROL_ERROR": { code: 8 },
	"resets the stream with FLOW_CONTROL_ERROR after a message": { code: 8 },
	"sends headers without :status": { code: 0 },
	"sends a PUSH_PROMISE": { code: 4 },
	"overflows the stream's window": { code: 4 },
};

testAgainstMisbehaving(goClient, deviations, goMissing);
