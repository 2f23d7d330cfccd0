/** Runs all cases with homing's server and the clients that run in Node. */

import { cases } from "./cases/index.ts";
import { connectClient } from "./connect.ts";
import { grpcjsClient } from "./grpcjs-client.ts";
import { homingServer } from "./homing-server.ts";
import { testPair } from "./pair.ts";

testPair(grpcjsClient, homingServer, cases);
testPair(connectClient, homingServer, cases);
