/** The entry point `homing/options`: the compiled homing/options.proto, which generated messages import. */
export * from "./gen/homing/options_pb.ts";
