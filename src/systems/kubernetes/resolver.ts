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

export interface KubernetesDependencies
	extends PodDependencies,
		FamilyDependencies {
	readonly random?: (() => number) | undefined;
}

/** Of a family that has many, so many are tried before it is given up. */
const PROBED = 3;

/**
 * The pods behind a Service, from its EndpointSlices, watched: what is ready is
 * an endpoint, with its zone, and with its pod and node for attributes. Without a
 * proxy in between, calls are balanced one by one.
 *
 * In a pod, `service` is enough: the API server, the namespace and the credentials
 * are the pod's own. Its service account needs a Role that allows to list and
 * watch `endpointslices` of `discovery.k8s.io`.
 *
 * Of a Service of both families one is used: the first to which a connection can
 * be made, that of the API server's address being 250 ms ahead.
 *
 * @throws OptionError for bad options
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

/** A service during one watch. */
class WatchedService implements FollowedService {
	readonly #options: KubernetesOptions;
	readonly #context: ResolveContext;
	readonly #dependencies: KubernetesDependencies;
	readonly #access: Access;
	readonly #families: FamilyChoice;
	#changed: () => void = () => {};
	#feed: SliceFeed | undefined;
	/** As of the start. */
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
