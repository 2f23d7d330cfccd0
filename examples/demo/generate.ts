import { execFileSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { part, say, show } from "./screen.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Runs `buf generate` over the sample services, with this checkout's plugin. */
export function generate(): void {
	part("1. From .proto to TypeScript");
	execFileSync(
		join(root, "node_modules/.bin/buf"),
		["generate", "--template", "testdata/services/buf.gen.yaml"],
		{ cwd: root, stdio: "inherit" },
	);
	const files = readdirSync(join(root, "testdata/services/gen"), {
		recursive: true,
	})
		.map(String)
		.filter((file) => file.endsWith("_rpc.ts"));
	show("buf generate", files.join("\n".padEnd(46)));
	say("One small file per proto, which contains typed clients and servers.");
}
