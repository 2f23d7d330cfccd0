/** Throws on a Node that is too old. Entry points import it first, so that the error says what is wrong. */

import { tooOld } from "./policy/oldest-node.ts";

const complaint = tooOld(globalThis.process?.versions?.node);
if (complaint !== undefined) throw new Error(complaint);
