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
	/** Each is printed on two interfaces. */
	readonly #docs = new Map<DescMethod | DescService, string>();
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
			if (isOfInterest(location.path)) {
				const path = location.path.join(".");
				if (!this.#locations.has(path)) {
					this.#locations.set(path, location);
				}
			}
		}
	}

	/** The JSDoc of the comments, of what they are on, and of whether to use it at all. */
	jsDoc(
		desc: DescMethod | DescService,
		deprecated: boolean,
		indentation = "",
	): string {
		let doc = this.#docs.get(desc);
		if (doc === undefined) {
			const location = this.#locations.get(this.#paths.get(desc) ?? "");
			const lines = [
				...paragraph(location?.leadingComments),
				...paragraph(location?.trailingComments),
				`@generated from ${desc.toString()}`,
				...(deprecated ? ["@deprecated"] : []),
			];
			doc = jsDoc(lines, indentation);
			this.#docs.set(desc, doc);
		}
		return doc;
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

/** Whether the path leads to a service, a method, or an option of one. */
function isOfInterest(path: readonly number[]): boolean {
	return (
		path[0] === SERVICE_OF_FILE &&
		(path.length === 2 ||
			path[2] === OPTIONS_OF_SERVICE ||
			(path[2] === METHOD_OF_SERVICE &&
				(path.length === 4 || path[4] === OPTIONS_OF_METHOD)))
	);
}

/** A block of lines that hold no end of a comment. */
export function jsDoc(lines: readonly string[], indentation = ""): string {
	return [
		`${indentation}/**`,
		...lines.map((line) => `${indentation} *${line === "" ? "" : ` ${line}`}`),
		`${indentation} */`,
	].join("\n");
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
		.map((line) => escaped(line.replace(/^ /, "").trimEnd()));
	return [...lines, ""];
}

/** Nothing that JSDoc would take for a tag, or for its end. */
function escaped(line: string): string {
	return line.replace(/(?<!\w)@/g, "\\@").replaceAll("*/", "*\\/");
}
