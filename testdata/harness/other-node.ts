/** Other releases of Node than that which runs the tests. */

import { node20, node22 } from "../peers/node/recipes.ts";
import { builtProgram, missing, type Recipe } from "./built-program.ts";

/** Why there can be no Node 20 here; undefined if there can. */
export const node20Missing: string | undefined = missing(node20);

export const node22Missing: string | undefined = missing(node22);

/** The program. Throws if it is not there. */
export const node20Program = (): string => programOf(node20);

export const node22Program = (): string => programOf(node22);

function programOf(recipe: Recipe): string {
	return `${builtProgram(recipe)}/node_modules/node/bin/node`;
}
