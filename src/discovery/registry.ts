/** A server, as it registers itself in discovery. */
export interface Instance {
	/** The name of the service, by which clients find it. */
	name: string;
	/** A name or an IP address at which clients can reach the server. Default: chosen by the registry. */
	host?: string | undefined;
	/** The port at which clients can reach the server. */
	port: number;
	/** The instance's id, unique in the registry. Default: `name:host:port`. */
	id?: string | undefined;
	/** The instance's share of the calls, relative to the other instances'. Default: chosen by the registry. */
	weight?: number | undefined;
	/** The zone in which the server runs, for clients that prefer their own zone. Default: none. */
	zone?: string | undefined;
	/** Tags for discovery systems that have them. Default: none. */
	tags?: readonly string[] | undefined;
	/** Further facts for clients and balancers, by name. Default: none. */
	attributes?: Record<string, string> | undefined;
}

/** A discovery system in which servers register themselves. */
export interface Registry {
	/**
	 * Registers an instance. The promise resolves when clients can find the
	 * instance. `signal` cancels the attempt to register; after that, disposing the
	 * registration is what removes the instance.
	 */
	register(instance: Instance, signal: AbortSignal): Promise<Registration>;
}

/** A registered instance. Disposing it removes the instance from discovery. */
export interface Registration extends AsyncDisposable {
	/** Sets whether the instance gets new calls. With `false` it stays registered, but gets none. */
	setServing(serving: boolean): Promise<void>;
}
