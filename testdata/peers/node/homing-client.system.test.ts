/** Runs all cases with homing's client and the servers in other languages. */

import { cases } from "./cases/index.ts";
import { goMissing, goServer } from "./go.ts";
import { homingClient } from "./homing-client.ts";
import { kitexMissing, kitexServer } from "./kitex.ts";
import { testPair } from "./pair.ts";
import { pythonMissing, pythonServer } from "./python.ts";
import { rustMissing, rustServer } from "./rust.ts";

testPair(homingClient, goServer, cases, goMissing);
testPair(homingClient, kitexServer, cases, kitexMissing);
testPair(homingClient, rustServer, cases, rustMissing);
testPair(homingClient, pythonServer, cases, pythonMissing);
