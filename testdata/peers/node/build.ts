/** `npm run peers`: builds all programs in other languages that tests need, those that are not there yet; `npm run peers NAME`: this one. */

import { builtProgram, type Recipe } from "../../harness/built-program.ts";
import { consulAgent } from "../../harness/consul-agent.ts";
import { etcdServer } from "../../harness/etcd-server.ts";
import { kubeApiServer } from "../../harness/kube-api-server.ts";
import { goPeer } from "./go.ts";
import { kitexPeer } from "./kitex.ts";
import { pythonPeer } from "./python.ts";
import { rustPeer } from "./rust.ts";

const recipes: readonly Recipe[] = [
	goPeer,
	pythonPeer,
	rustPeer,
	etcdServer,
	consulAgent,
	kitexPeer,
	kubeApiServer,
];

const names = process.argv.slice(2);
const wanted = recipes.filter(
	({ name }) => names.length === 0 || names.includes(name),
);

for (const recipe of wanted) {
	const startedAt = performance.now();
	await builtProgram(recipe);
	const seconds = (performance.now() - startedAt) / 1000;
	console.log(`${recipe.name}: ready after ${seconds.toFixed(1)} s`);
}
