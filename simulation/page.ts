const BEGIN =
	"<!-- written by `npm run simulate`: what is changed here is lost -->";
const END = "<!-- end of what is written -->";

/** The page with new results in the place of those it had. */
export function withResults(page: string, results: string): string {
	const begin = page.indexOf(BEGIN);
	const end = page.indexOf(END);
	if (begin < 0 || end < begin) {
		throw new Error(`the page has no place for results: ${BEGIN} … ${END}`);
	}
	return `${page.slice(0, begin + BEGIN.length)}\n\n${results}\n\n${page.slice(end)}`;
}

/** What stands there now. */
export function resultsOf(page: string): string {
	return page
		.slice(page.indexOf(BEGIN) + BEGIN.length, page.indexOf(END))
		.trim();
}
