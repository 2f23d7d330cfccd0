/** Releases of Node other than the one that runs the tests. */

import { node20, node22 } from "../peers/node/recipes.ts";
import { builtProgram, missing, type Recipe } from "./built-program.ts";

/** Why Node 20 is not available here. Undefined if it is. */
export const node20Missing: string | undefined = missing(node20);

export const node22Missing: string | undefined = missing(node22);

/** The path of the program. Throws if it does not exist. */
export const node20Program = (): string => programOf(node20);

export const node22Program = (): string => programOf(node22);

function programOf(recipe: Recipe): string {
	return `${builtProgram(recipe)}/node_modules/node/bin/node`;
}
