import assert from "node:assert/strict";
import {
	NewEverythingClient,
	NewNoneClient,
	NewOnlyMethodClient,
	NewOnlyTargetClient,
} from "./gen/policies_rpc.js";

// The runtime checks all policies when a client is made.
await using everything = NewEverythingClient("127.0.0.1:1");
await using onlyTarget = NewOnlyTargetClient();
await using onlyMethod = NewOnlyMethodClient("127.0.0.1:1");
await using none = NewNoneClient("127.0.0.1:1");
for (const client of [everything, onlyTarget, onlyMethod, none]) {
	assert.equal(typeof client, "object");
}
