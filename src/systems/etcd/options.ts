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

/** Where etcd is, and who asks. */
export interface EtcdOptions {
	/** "host:port" of each member that may be asked; the port is 2379 where there is none. Default: 127.0.0.1:2379. */
	hosts?: readonly string[] | undefined;
	/** true: the platform's roots; options as node:tls has them; a function is asked again for each connection. A member's certificate must be made out to its host, as `hosts` has it. Default: plaintext. */
	tls?: boolean | TlsOptions | TlsSource | undefined;
	/** The name of one of etcd's own users; with `password`. Default: nobody. */
	user?: string | undefined;
	/** The password of `user`. */
	password?: string | undefined;
	/** Whether the password may go over plaintext, where everybody on the way can read it. Default: false. */
	insecureCredentials?: boolean | undefined;
}

const host: Check<string> = (value, where) =>
	formatHostPort(parseHostPort(text(value, where), where, 2379));

const hosts: Check<readonly string[]> = (value, where) => {
	const list = listOf(host)(value, where);
	if (list.length > 0) return list;
	throw new OptionError(
		where,
		"is empty; name a member, or leave it out for 127.0.0.1:2379",
	);
};

export const etcdOptions: OptionTable<EtcdOptions> = {
	hosts,
	tls: channelOptions.tls,
	user: text,
	password: text,
	insecureCredentials: boolean,
};

/** The options, checked and made ready for use. */
export interface EtcdSetting {
	/** "host:port" of each. */
	readonly hosts: readonly string[];
	/** Undefined: plaintext. */
	readonly tls: TlsSource | undefined;
	readonly login:
		| { readonly user: string; readonly password: string }
		| undefined;
}

/**
 * Options that the table has accepted, made ready for use.
 *
 * @throws OptionError for options that do not go together
 */
export function settleEtcd(options: EtcdOptions): EtcdSetting {
	const { tls = false, user, password } = options;
	if ((user === undefined) !== (password === undefined)) {
		const [given, missing] =
			user === undefined ? ["password", "user"] : ["user", "password"];
		throw new OptionError(missing, `is missing beside ${given}`, "missing");
	}
	if (user !== undefined && tls === false && !options.insecureCredentials) {
		throw new OptionError(
			"password",
			"would travel over plaintext; set `tls`, or `insecureCredentials: true` if the network is safe",
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

/** Each member shows a certificate of its own. */
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

/** A key under which others are: no slash at its end, and something before that. */
export const keyPrefix: Check<string> = (value, where) => {
	const prefix = text(value, where).replace(/\/+$/, "");
	if (prefix !== "") return prefix;
	throw new OptionError(
		where,
		`${shown(value)} holds all of etcd; write the key under which the instances are`,
	);
};
