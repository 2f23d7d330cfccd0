import { runNodeJs } from "@bufbuild/protoplugin";
import { protocGenHoming } from "./plugin.ts";

runNodeJs(protocGenHoming);
