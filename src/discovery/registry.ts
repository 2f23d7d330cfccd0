/** A server that asks to be found. */
export interface Instance {
	/** The name of the service, by which clients find it. */
	name: string;
	/** The address that others can reach; by default the registry's choice. */
	host?: string | undefined;
	port: number;
	/** Unique in the registry; by default `name:host:port`. */
	id?: string | undefined;
	/** Its share of the calls, relative to the others'. */
	weight?: number | undefined;
	zone?: string | undefined;
	tags?: readonly string[] | undefined;
	attributes?: Record<string, string> | undefined;
}

/** Where servers make themselves known. */
export interface Registry {
	/**
	 * Resolves when the instance can be found. `signal` gives up on registering;
	 * once registered, disposing the registration is what ends it.
	 */
	register(instance: Instance, signal: AbortSignal): Promise<Registration>;
}

/** An instance that is known; disposing it takes it out. */
export interface Registration extends AsyncDisposable {
	/** `false` keeps the instance registered and sends it no new calls. */
	setServing(serving: boolean): Promise<void>;
}
