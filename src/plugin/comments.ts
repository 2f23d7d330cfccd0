import type { DescFile, DescMethod, DescService } from "@bufbuild/protobuf";
import type { SourceCodeInfo_Location } from "@bufbuild/protobuf/wkt";

/** Field numbers in descriptor.proto. The paths of source locations consist of them. */
const SERVICE_OF_FILE = 6;
const METHOD_OF_SERVICE = 2;
const OPTIONS_OF_SERVICE = 3;
const OPTIONS_OF_METHOD = 4;

/**
 * The comments and the source positions of a file's services. They are indexed
 * in one pass over the file's source locations.
 */
export class Comments {
	readonly #file: DescFile;
	readonly #paths = new Map<DescMethod | DescService, string>();
	/** A cache: each comment is printed on two interfaces. */
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
			if (belongsToService(location.path)) {
				const path = location.path.join(".");
				if (!this.#locations.has(path)) {
					this.#locations.set(path, location);
				}
			}
		}
	}

	/** Returns the JSDoc of a service or a method: its comments, its name in the proto, and `@deprecated` if it is that. */
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
	 * Returns `file.proto:LINE:COLUMN` of a custom option. If the compiler gives no
	 * position for it, returns the position of the service or method that has it.
	 *
	 * @param option the number of the option, followed by the numbers of the fields
	 * in it, because a statement may set a single field
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

/** Whether a path leads to a service, to a method, or to an option of one of these. */
function belongsToService(path: readonly number[]): boolean {
	return (
		path[0] === SERVICE_OF_FILE &&
		(path.length === 2 ||
			path[2] === OPTIONS_OF_SERVICE ||
			(path[2] === METHOD_OF_SERVICE &&
				(path.length === 4 || path[4] === OPTIONS_OF_METHOD)))
	);
}

/** Formats lines as JSDoc. The lines must not contain the end of a comment. */
export function jsDoc(lines: readonly string[], indentation = ""): string {
	return [
		`${indentation}/**`,
		...lines.map((line) => `${indentation} *${line === "" ? "" : ` ${line}`}`),
		`${indentation} */`,
	].join("\n");
}

/** Returns the lines of a proto comment, escaped for JSDoc and followed by an empty line. */
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

/** Escapes what JSDoc would read as a tag or as the end of the comment. */
function escaped(line: string): string {
	return line.replace(/(?<!\w)@/g, "\\@").replaceAll("*/", "*\\/");
}
