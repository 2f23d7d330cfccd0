import { expect, test } from "vitest";
import { kubernetesResolver } from "./resolver.ts";

test.each<[object, string]>([
	[{}, "service: is missing"],
	[
		{ service: "Payment" },
		'service: "Payment" is not the name of a Kubernetes object',
	],
	[{ service: "a/b" }, "service: "],
	[{ service: "a", namespace: "a.b" }, "namespace: "],
	[
		{ service: "a", port: 0 },
		"port: 0 is not the number or the name of a port",
	],
	[{ service: "a", port: "" }, "port: "],
	[{ service: "a", apiServer: "ftp://x" }, "apiServer: "],
	[{ service: "a", apiServer: "a:b:c" }, "apiServer: "],
	[
		{ service: "a", apiserver: "x" },
		"apiserver: is not an option; did you mean apiServer?",
	],
	[
		{ service: "a", token: 1 },
		"token: 1 is not a token, or a function that returns one",
	],
	[
		{ service: "a", token: "x", tokenFile: "y" },
		"tokenFile: is given together with token; remove one",
	],
	[{ service: "a", ca: 1 }, "ca: 1 is not PEM text or bytes"],
	[
		{ service: "a", ca: "x", caFile: "y" },
		"caFile: is given together with ca; remove one",
	],
	[{ service: "a", tls: { cert: "x" } }, "tls.key: is missing beside tls.cert"],
	[
		{ service: "a", apiServer: "http://127.0.0.1:8001", token: "x" },
		"token: would be sent over plaintext to http://127.0.0.1:8001",
	],
	[
		{ service: "a", apiServer: "HTTP://a:1", tokenFile: "x" },
		"tokenFile: would be sent",
	],
])(
	"%o is refused at once, and the error names the option",
	(options, words) => {
		expect(() => kubernetesResolver(options as never)).toThrow(words);
	},
);
