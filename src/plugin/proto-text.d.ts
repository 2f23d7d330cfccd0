/** In the bundle, esbuild replaces the import of a .proto file by its text. */
declare module "*.proto" {
	const text: string;
	export default text;
}
