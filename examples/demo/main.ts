/** A tour of homing, with real code generation, servers on loopback, and calls. Run it with `npm run demo`. */
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
