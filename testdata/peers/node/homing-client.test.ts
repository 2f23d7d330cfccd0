/** Runs all cases with homing's client and the servers that run in Node. */

import { testAgainstMisbehaving } from "./against-misbehaving.ts";
import { cases } from "./cases/index.ts";
import { connectServer } from "./connect.ts";
import { grpcjsServer } from "./grpcjs-server.ts";
import { homingClient, homingHandlesClient } from "./homing-client.ts";
import { homingServer } from "./homing-server.ts";
import { testPair } from "./pair.ts";

testPair(homingClient, grpcjsServer, cases);
testPair(homingClient, connectServer, cases);
testPair(homingClient, homingServer, cases);
testPair(homingHandlesClient, grpcjsServer, cases);
testPair(homingHandlesClient, homingServer, cases);
testAgainstMisbehaving(homingClient, {
	// A request that no application has seen is retried once, whatever the policy (gRFC A6, "Transparent Retries").
	"resets the stream with REFUSED_STREAM": { requests: 2 },
	"sends GOAWAY that leaves the call out": { requests: 2 },
});
