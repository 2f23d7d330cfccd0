import {
	type DescExtension,
	type DescFile,
	type DescMessage,
	type DescMethod,
	type DescService,
	getOption,
	hasOption,
} from "@bufbuild/protobuf";
import { OptionError } from "../../checks/option-error.ts";
import {
	type CompiledMethodPolicy,
	compileMethodPolicy,
} from "../../policy/method-policy.ts";
import type { Comments } from "../comments.ts";
import { durationProblem } from "./proto-duration.ts";

/**
 * The policies that protos set by options. The options are found among the
 * descriptors of the request, so that protos without them cost nothing.
 */
export class ProtoOptions {
	readonly #service: DescExtension | undefined;
	readonly #method: DescExtension | undefined;
	readonly #defaultHost: DescExtension | undefined;

	/** @param files all files of the request, including those that declare the options */
	constructor(files: readonly DescFile[]) {
		const extensions = files.flatMap((file) => file.extensions);
		const named = (name: string): DescExtension | undefined =>
			extensions.find((extension) => extension.typeName === name);
		this.#service = named("homing.service");
		this.#method = named("homing.method");
		this.#defaultHost = named("google.api.default_host");
	}

	/** The target of a service, from `homing.service` or else from `google.api.default_host`. */
	target(service: DescService): string | undefined {
		const option = optionOf(service, this.#service);
		if (isRecord(option) && isText(option["target"])) {
			return option["target"];
		}
		const host = optionOf(service, this.#defaultHost);
		if (!isText(host)) {
			return undefined;
		}
		return `dns:///${/:\d+$/.test(host) ? host : `${host}:443`}`;
	}

	/**
	 * The policy of a service or of a method, if it has one.
	 *
	 * @throws Error for an invalid policy, with its position in the file
	 */
	policy(
		desc: DescMethod | DescService,
		comments: Comments,
	): CompiledMethodPolicy | undefined {
		const option = desc.kind === "rpc" ? this.#method : this.#service;
		const value = optionOf(desc, option);
		if (option === undefined || value === undefined) {
			return undefined;
		}
		try {
			// A decoded message has the same field names as its JSON.
			return compileMethodPolicy(value, "");
		} catch (error) {
			if (error instanceof OptionError) {
				const position = comments.position(desc, [
					option.number,
					...fieldNumbers(option.message, error.option),
				]);
				throw new Error(
					`${position}: ${nameOf(desc)}: ${protoSpelling(error.option)}: ${
						error.problem.includes("is not a duration")
							? durationProblem(valueAt(value, error.option))
							: error.problem
					}`,
				);
			}
			throw error;
		}
	}
}

function optionOf(
	desc: DescMethod | DescService,
	option: DescExtension | undefined,
): unknown {
	return option !== undefined && hasOption(desc, option)
		? getOption(desc, option)
		: undefined;
}

/** Returns the value at a path without list indexes. The paths of durations are like that. */
function valueAt(value: unknown, path: string): unknown {
	return path
		.split(".")
		.reduce<unknown>(
			(value, name) => (isRecord(value) ? value[name] : undefined),
			value,
		);
}

function isRecord(value: unknown): value is Record<string, unknown> {
	return typeof value === "object" && value !== null;
}

function isText(value: unknown): value is string {
	return typeof value === "string" && value !== "";
}

function nameOf(desc: DescMethod | DescService): string {
	return desc.kind === "rpc"
		? `${desc.parent.typeName}.${desc.name}`
		: desc.typeName;
}

/** Returns the numbers of the fields on a path such as retryPolicy.retryableStatusCodes[0]. */
function fieldNumbers(
	message: DescMessage | undefined,
	path: string,
): readonly number[] {
	const [, name, rest = ""] = /^(\w+)(?:\[\d+\])?\.?(.*)$/.exec(path) ?? [];
	const field = message?.fields.find(({ localName }) => localName === name);
	return field === undefined
		? []
		: [field.number, ...fieldNumbers(field.message, rest)];
}

/** Converts a path to the proto's spelling: retryPolicy.maxAttempts to retry_policy.max_attempts. */
function protoSpelling(path: string): string {
	return path.replace(/[A-Z]/g, (capital) => `_${capital.toLowerCase()}`);
}
