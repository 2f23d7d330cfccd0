/** homing's client and every server. */

import { testAgainstMisbehaving } from "./against-misbehaving.ts";
import { cases } from "./cases/index.ts";
import { connectServer } from "./connect.ts";
import { goMissing, goServer } from "./go.ts";
import { grpcjsServer } from "./grpcjs-server.ts";
import { homingClient, homingHandlesClient } from "./homing-client.ts";
import { homingServer } from "./homing-server.ts";
import { kitexMissing, kitexServer } from "./kitex.ts";
import { testPair } from "./pair.ts";
import { pythonMissing, pythonServer } from "./python.ts";
import { rustMissing, rustServer } from "./rust.ts";

testPair(homingClient, grpcjsServer, cases);
testPair(homingClient, connectServer, cases);
testPair(homingClient, goServer, cases, goMissing);
testPair(homingClient, kitexServer, cases, kitexMissing);
testPair(homingClient, rustServer, cases, rustMissing);
testPair(homingClient, pythonServer, cases, pythonMissing);
testPair(homingClient, homingServer, cases);
testPair(homingHandlesClient, grpcjsServer, cases);
testPair(homingHandlesClient, homingServer, cases);
testAgainstMisbehaving(homingClient, {
	// What no application has seen goes again once, whatever the policy (gRFC A6, "Transparent Retries").
	"resets the stream with REFUSED_STREAM": { requests: 2 },
	"sends GOAWAY that leaves the call out": { requests: 2 },
});
