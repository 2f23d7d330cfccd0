/**
 * Runs all cases among the peers, without homing. A failure here is a fault of
 * the harness or of a peer.
 */

import { cases } from "./cases/index.ts";
import { connectClient, connectServer } from "./connect.ts";
import { goClient, goMissing, goServer } from "./go.ts";
import { grpcjsClient } from "./grpcjs-client.ts";
import { grpcjsServer } from "./grpcjs-server.ts";
import { kitexClient, kitexMissing, kitexServer } from "./kitex.ts";
import { testPair } from "./pair.ts";
import { pythonClient, pythonMissing, pythonServer } from "./python.ts";
import { rustClient, rustMissing, rustServer } from "./rust.ts";

testPair(goClient, grpcjsServer, cases, goMissing);
testPair(grpcjsClient, connectServer, cases);
testPair(connectClient, goServer, cases, goMissing);
testPair(goClient, kitexServer, cases, kitexMissing);
testPair(kitexClient, goServer, cases, kitexMissing);
testPair(rustClient, pythonServer, cases, rustMissing ?? pythonMissing);
testPair(pythonClient, rustServer, cases, rustMissing ?? pythonMissing);
