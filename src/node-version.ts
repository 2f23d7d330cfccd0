/** Evaluated before the rest of an entry point, so that an old Node says what is wrong instead of failing somewhere. */

import { tooOld } from "./policy/oldest-node.ts";

const complaint = tooOld(globalThis.process?.versions?.node);
if (complaint !== undefined) throw new Error(complaint);
