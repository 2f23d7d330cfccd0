/** A plugin that generates nothing: writes the request on standard input to a new file in the directory that it is given. */
import { randomUUID } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const [directory = "."] = process.argv.slice(2);
writeFileSync(join(directory, `${randomUUID()}.bin`), readFileSync(0));

// A CodeGeneratorResponse without files: supported_features 3 (optional fields
// and editions), minimum_edition 998 (proto2), maximum_edition 1001 (2024).
process.stdout.write(
	Uint8Array.of(0x10, 3, 0x18, 0xe6, 0x07, 0x20, 0xe9, 0x07),
);
