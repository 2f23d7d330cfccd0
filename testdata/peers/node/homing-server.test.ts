/** homing's server and every client. */

import { cases } from "./cases/index.ts";
import { connectClient } from "./connect.ts";
import { goClient, goMissing } from "./go.ts";
import { grpcjsClient } from "./grpcjs-client.ts";
import { homingServer } from "./homing-server.ts";
import { kitexClient, kitexMissing } from "./kitex.ts";
import { testPair } from "./pair.ts";
import { pythonClient, pythonMissing } from "./python.ts";
import { rustClient, rustMissing } from "./rust.ts";

testPair(grpcjsClient, homingServer, cases);
testPair(connectClient, homingServer, cases);
testPair(goClient, homingServer, cases, goMissing);
testPair(rustClient, homingServer, cases, rustMissing);
testPair(pythonClient, homingServer, cases, pythonMissing);
testPair(kitexClient, homingServer, cases, kitexMissing);
