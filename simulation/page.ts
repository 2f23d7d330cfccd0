const BEGIN =
	"<!-- results: written by `npm run simulate`; changes here are overwritten -->";
const END = "<!-- end of results -->";

/** Replaces the results in the page. */
export function withResults(page: string, results: string): string {
	const begin = page.indexOf(BEGIN);
	const end = page.indexOf(END);
	if (begin < 0 || end < begin) {
		throw new Error(
			`docs/simulation.md has no place for the results, between ${BEGIN} and ${END}`,
		);
	}
	return `${page.slice(0, begin + BEGIN.length)}\n\n${results}\n\n${page.slice(end)}`;
}

/** Returns the results in the page. */
export function resultsOf(page: string): string {
	return page
		.slice(page.indexOf(BEGIN) + BEGIN.length, page.indexOf(END))
		.trim();
}
