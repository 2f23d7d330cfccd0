/** Run by vitest before each file of tests: they share a process, and what it has printed is all that modules remember of it. */

import { forgetPrinted } from "../../src/policy/print-error.ts";

forgetPrinted();
