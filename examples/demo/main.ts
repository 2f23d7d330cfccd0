/** A tour of homing: real code generation, real servers on loopback, real calls. `npm run demo` runs it. */
import { attempts } from "./attempts.ts";
import { deadlines } from "./deadlines.ts";
import { fourKinds } from "./four-kinds.ts";
import { generate } from "./generate.ts";
import { killed } from "./killed.ts";
import { moving } from "./moving.ts";
import { smallServices } from "./small-services.ts";

generate();
await fourKinds();
await smallServices();
await deadlines();
await moving();
await attempts();
await killed();
