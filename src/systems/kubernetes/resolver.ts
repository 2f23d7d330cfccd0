import {
	type Family,
	FamilyChoice,
	type FamilyDependencies,
} from "../../discovery/dns/family-choice.ts";
import type { ResolveTurn } from "../../discovery/resolve-loop.ts";
import type {
	Endpoint,
	Resolution,
	ResolveContext,
	Resolver,
} from "../../discovery/resolver.ts";
import { systemClock } from "../../policy/clock.ts";
import { DiscoveryError } from "../discovery-error.ts";
import { type FollowedService, resolutionsOf } from "../followed-service.ts";
import { HttpApi } from "../http-api.ts";
import { Access, type PodDependencies } from "./access.ts";
import {
	type EndpointsByFamily,
	endpointsOfSlices,
} from "./endpoints-of-slices.ts";
import { checkKubernetesOptions, type KubernetesOptions } from "./options.ts";
import { SliceApi } from "./slice-api.ts";
import { SliceFeed } from "./slice-feed.ts";

/** What tests replace. Default: the system's clock, TCP and Math.random, and the pod's own environment and files. */
export interface KubernetesDependencies
	extends PodDependencies,
		FamilyDependencies {
	readonly random?: (() => number) | undefined;
}

/** How many addresses of a family are tried before the family counts as unreachable. */
const PROBED = 3;

/**
 * Makes a resolver for the pods of a Kubernetes Service. It watches the Service's
 * EndpointSlices. Each pod that is ready becomes an endpoint, with its zone, and
 * with the names of its pod and node as attributes. Calls go to the pods directly,
 * so that each call is balanced by itself.
 *
 * In a pod, `service` is enough: the API server, the namespace and the credentials
 * are those of the pod. Its service account needs a Role that allows `list` and
 * `watch` of `endpointslices` in `discovery.k8s.io`.
 *
 * If a Service has IPv4 and IPv6 addresses, only one family is used: the one to
 * which a connection can be made first. The family of the API server's address is
 * tried 250 ms earlier.
 *
 * @throws OptionError for invalid options
 */
export function kubernetesResolver(
	options: KubernetesOptions,
	dependencies: KubernetesDependencies = {},
): Resolver {
	checkKubernetesOptions(options);
	const given = { ...options };
	return {
		watch: (context) =>
			resolutionsOf(
				new WatchedService(given, context, dependencies),
				context.signal,
				dependencies.clock,
			),
	};
}

/** The service, as one watch follows it. */
class WatchedService implements FollowedService {
	readonly #options: KubernetesOptions;
	readonly #context: ResolveContext;
	readonly #dependencies: KubernetesDependencies;
	readonly #access: Access;
	readonly #families: FamilyChoice;
	#changed: () => void = () => {};
	#feed: SliceFeed | undefined;
	/** Set by `start`. */
	#namespace = "";
	#stopped = false;
	#lost = false;

	constructor(
		options: KubernetesOptions,
		context: ResolveContext,
		dependencies: KubernetesDependencies,
	) {
		this.#options = options;
		this.#context = context;
		this.#dependencies = dependencies;
		this.#access = new Access(options, dependencies);
		this.#families = new FamilyChoice(dependencies);
	}

	onChange(changed: () => void): () => void {
		this.#changed = changed;
		return () => {
			this.#stopped = true;
			this.#feed?.stop();
		};
	}

	async connectionLost(): Promise<void> {
		await this.#context.refresh();
		this.#lost = true;
		this.#feed?.hurry();
	}

	async start(): Promise<void> {
		const { service } = this.#options;
		const { clock = systemClock, random = Math.random } = this.#dependencies;
		const access = this.#access;
		const origin = access.origin();
		const namespace = await access.namespace();
		this.#namespace = namespace;
		const { tls, headers, tokenText: token } = access;
		const role = "the Kubernetes API server";
		const api = new HttpApi({ origin, role, tls, headers, clock });
		this.#feed = new SliceFeed({
			api: new SliceApi({ api, service, namespace, token, random }),
			clock,
			random,
			changed: () => this.#changed(),
			report: (error) => this.#context.report?.(error),
		});
		if (this.#stopped) this.#feed.stop();
		await this.#feed.start();
	}

	async resolve({ signal }: ResolveTurn): Promise<Resolution> {
		const slices = [...(this.#feed?.slices.values() ?? [])];
		let found: EndpointsByFamily;
		try {
			const { service, port } = this.#options;
			const namespace = this.#namespace;
			found = endpointsOfSlices(slices, { service, namespace, port });
		} catch (reason) {
			if (!(reason instanceof DiscoveryError)) throw reason;
			return { endpoints: [], reason };
		}
		return { endpoints: await this.#ofOneFamily(found, signal) };
	}

	async #ofOneFamily(
		found: EndpointsByFamily,
		signal: AbortSignal,
	): Promise<readonly Endpoint[]> {
		const preferred: Family = /\[/.test(this.#access.origin()) ? "v6" : "v4";
		const families = [...found.keys()].sort(
			(a, b) => Number(b === preferred) - Number(a === preferred),
		);
		const probes = families.map((family): [Family, string[]] => [
			family,
			(found.get(family) ?? [])
				.slice(0, PROBED)
				.map(({ address }) => String(address)),
		]);
		const requested = this.#lost;
		this.#lost = false;
		const chosen = await this.#families.choose(new Map(probes), {
			signal,
			requested,
		});
		return found.get(chosen ?? families[0] ?? preferred) ?? [];
	}
}
