import { OptionError, shown } from "../../checks/option-error.ts";
import {
	boolean,
	type Check,
	listOf,
	type OptionTable,
	text,
} from "../../checks/option-table.ts";
import { channelOptions } from "../../client/options/channel-options.ts";
import {
	formatHostPort,
	parseHostPort,
} from "../../discovery/targets/host-port.ts";
import { secureContext } from "../../tls/secure-context.ts";
import type { TlsOptions, TlsSource } from "../../tls/tls-options.ts";

/** How to reach etcd. */
export interface EtcdOptions {
	/** "host:port" of the members; the default port is 2379. Default: 127.0.0.1:2379. */
	hosts?: readonly string[] | undefined;
	/**
	 * How to use TLS. `true` trusts Node's certificate authorities; an object holds options of node:tls; a function returns
	 * such options and is called for each connection. Each member's certificate must match its host in `hosts`. Default:
	 * plaintext.
	 */
	tls?: boolean | TlsOptions | TlsSource | undefined;
	/** The name of an etcd user. Requires `password`. Default: no user. */
	user?: string | undefined;
	/** The password of `user`. */
	password?: string | undefined;
	/** Whether the password may be sent over plaintext, where anybody on the network can read it. Default: false. */
	insecureCredentials?: boolean | undefined;
}

const host: Check<string> = (value, where) =>
	formatHostPort(parseHostPort(text(value, where), where, 2379));

const hosts: Check<readonly string[]> = (value, where) => {
	const list = listOf(host)(value, where);
	if (list.length > 0) return list;
	throw new OptionError(
		where,
		"is empty; name at least one member, or leave it out for 127.0.0.1:2379",
	);
};

export const etcdOptions: OptionTable<EtcdOptions> = {
	hosts,
	tls: channelOptions.tls,
	user: text,
	password: text,
	insecureCredentials: boolean,
};

/** The checked options, with their defaults. */
export interface EtcdSetting {
	/** "host:port" of each member. */
	readonly hosts: readonly string[];
	/** Undefined means plaintext. */
	readonly tls: TlsSource | undefined;
	readonly login:
		| { readonly user: string; readonly password: string }
		| undefined;
}

/**
 * Applies the defaults to options that the table has accepted.
 *
 * @throws OptionError for options that contradict each other
 */
export function etcdSetting(options: EtcdOptions): EtcdSetting {
	const { tls = false, user, password } = options;
	if ((user === undefined) !== (password === undefined)) {
		const [given, missing] =
			user === undefined ? ["password", "user"] : ["user", "password"];
		throw new OptionError(missing, `is missing beside ${given}`, "missing");
	}
	if (user !== undefined && tls === false && !options.insecureCredentials) {
		throw new OptionError(
			"password",
			"would be sent over plaintext; set `tls`, or `insecureCredentials: true` if the network is safe",
		);
	}
	if (typeof tls === "object") secureContext(tls, "tls");
	return {
		hosts: hosts(options.hosts ?? ["127.0.0.1:2379"], "hosts"),
		tls: tls === false ? undefined : tlsByHost(tls),
		login:
			user !== undefined && password !== undefined
				? { user, password }
				: undefined,
	};
}

/** TLS options by member, because each member has a certificate for its own host. */
function tlsByHost(tls: true | TlsOptions | TlsSource): TlsSource {
	return async (address) => {
		const options =
			typeof tls === "function" ? await tls(address) : tls === true ? {} : tls;
		return {
			...options,
			servername: options.servername ?? parseHostPort(address, "hosts").host,
		};
	};
}

/** Accepts the prefix of keys. Removes slashes at its end, and refuses an empty prefix. */
export const keyPrefix: Check<string> = (value, where) => {
	const prefix = text(value, where).replace(/\/+$/, "");
	if (prefix !== "") return prefix;
	throw new OptionError(
		where,
		`${shown(value)} is the prefix of all keys in etcd; write the prefix of the instances' keys`,
	);
};
