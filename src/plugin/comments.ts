import type { DescFile, DescMethod, DescService } from "@bufbuild/protobuf";
import type { SourceCodeInfo_Location } from "@bufbuild/protobuf/wkt";

/** Field numbers of descriptor.proto, which the paths of locations are made of. */
const SERVICE_OF_FILE = 6;
const METHOD_OF_SERVICE = 2;
const OPTIONS_OF_SERVICE = 3;
const OPTIONS_OF_METHOD = 4;

/**
 * What the source of a file says about its services: comments and positions,
 * indexed in one pass over the file's locations.
 */
export class Comments {
	readonly #file: DescFile;
	readonly #paths = new Map<DescMethod | DescService, string>();
	readonly #locations = new Map<string, SourceCodeInfo_Location>();

	constructor(file: DescFile) {
		this.#file = file;
		for (const [s, service] of file.services.entries()) {
			const path = `${SERVICE_OF_FILE}.${s}`;
			this.#paths.set(service, path);
			for (const [m, method] of service.methods.entries()) {
				this.#paths.set(method, `${path}.${METHOD_OF_SERVICE}.${m}`);
			}
		}
		for (const location of file.proto.sourceCodeInfo?.location ?? []) {
			if (location.path[0] === SERVICE_OF_FILE) {
				const path = location.path.join(".");
				if (!this.#locations.has(path)) {
					this.#locations.set(path, location);
				}
			}
		}
	}

	/** The text of a JSDoc block: the comments, then what they are of, and whether it is deprecated. */
	jsDoc(desc: DescMethod | DescService, deprecated: boolean): string {
		const location = this.#locations.get(this.#paths.get(desc) ?? "");
		return [
			...paragraph(location?.leadingComments),
			...paragraph(location?.trailingComments),
			`@generated from ${desc.toString()}`,
			...(deprecated ? ["@deprecated"] : []),
		].join("\n");
	}

	/**
	 * `file.proto:LINE:COLUMN` of a custom option; of what it is set on, if the
	 * compiler does not say.
	 *
	 * @param option the number of the option, then those of the fields in it: a
	 * statement may set one of them alone
	 */
	position(desc: DescMethod | DescService, option: readonly number[]): string {
		const owner = this.#paths.get(desc) ?? "";
		const options =
			desc.kind === "rpc" ? OPTIONS_OF_METHOD : OPTIONS_OF_SERVICE;
		const whole = [owner, options, ...option];
		let location: SourceCodeInfo_Location | undefined;
		while (location === undefined && whole.length > 1) {
			location = this.#locations.get(whole.join("."));
			whole.pop();
		}
		location ??= this.#locations.get(owner);
		const [line, column] = location?.span ?? [];
		return line === undefined || column === undefined
			? this.#file.proto.name
			: `${this.#file.proto.name}:${line + 1}:${column + 1}`;
	}
}

/** The lines of a comment and an empty one, fit to stand in JSDoc. */
function paragraph(comment: string | undefined): string[] {
	const text = (comment ?? "")
		.replace(/\r\n|[\r\u2028\u2029]/g, "\n")
		.replace(/\n$/, "");
	if (text.trim() === "") {
		return [];
	}
	const lines = text
		.split("\n")
		.map((line) => line.replace(/^ /, "").trimEnd());
	return [...lines.map(withoutTags), ""];
}

/** Escapes the `@` that JSDoc would read as a tag. */
function withoutTags(line: string): string {
	return line.replace(/(?<!\w)@/g, "\\@");
}
