/** esbuild puts the text of a proto into the bundle. */
declare module "*.proto" {
	const text: string;
	export default text;
}
