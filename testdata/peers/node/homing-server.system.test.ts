/** Runs all cases with homing's server and the clients in other languages. */

import { cases } from "./cases/index.ts";
import { goClient, goMissing } from "./go.ts";
import { homingServer } from "./homing-server.ts";
import { kitexClient, kitexMissing } from "./kitex.ts";
import { testPair } from "./pair.ts";
import { pythonClient, pythonMissing } from "./python.ts";
import { rustClient, rustMissing } from "./rust.ts";

testPair(goClient, homingServer, cases, goMissing);
testPair(rustClient, homingServer, cases, rustMissing);
testPair(pythonClient, homingServer, cases, pythonMissing);
testPair(kitexClient, homingServer, cases, kitexMissing);
