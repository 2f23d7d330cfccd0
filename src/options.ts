/** The compiled homing/options.proto, for generated messages that import it. */
export * from "./gen/homing/options_pb.ts";
