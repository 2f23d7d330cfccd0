import { expect, test } from "vitest";
import { parseTarget } from "../discovery/target.ts";
import { resolverOfTarget } from "./resolver-of-target.ts";

function resolverOf(target: string): unknown {
	const { source } = parseTarget(target, []);
	if (source === undefined) throw new Error("no scheme of the core");
	return resolverOfTarget(source);
}

test.each([
	"localhost:50051",
	"dns:///localhost:50051",
	"dns://127.0.0.1:53/localhost:50051",
	"srv:///_grpc._tcp.example.com",
	"ipv4:127.0.0.1:1,127.0.0.1:2",
	"ipv6:[::1]:1",
	"unix:/run/x.sock",
	"unix-abstract:x",
	"http://localhost:1",
	"https://localhost",
	"file:///etc/endpoints.json",
	"memory:///payment",
])("%s has a resolver", (target) => {
	expect(resolverOf(target)).toHaveProperty("watch", expect.any(Function));
});

test.each([
	["consul:///payment", "consul: targets are not there yet"],
	["etcd:///services/payment", "etcd: targets are not there yet"],
	["kubernetes:///payment", "kubernetes: targets are not there yet"],
])("%s says that it is not there yet, and what to do", (target, message) => {
	expect(() => resolverOf(target)).toThrow(TypeError);
	expect(() => resolverOf(target)).toThrow(message);
	expect(() => resolverOf(target)).toThrow("pass a Resolver of your own");
});
