import assert from "node:assert/strict";
import { NewLibraryClient, NewUnnamedClient } from "./gen/library_rpc.js";

// The runtime checks all policies when a client is made.
await using library = NewLibraryClient("127.0.0.1:1");
await using unnamed = NewUnnamedClient("127.0.0.1:1");
assert.equal(typeof library, "object");
assert.equal(typeof unnamed, "object");
