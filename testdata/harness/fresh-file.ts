/** Vitest runs this before each test file. The files share a process, and modules remember only what they have printed. */

import { forgetPrinted } from "../../src/policy/print-error.ts";

forgetPrinted();
