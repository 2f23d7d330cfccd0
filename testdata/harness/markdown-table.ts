/** Makes a Markdown table as Biome formats it. The first row is the head. All columns but the given ones are aligned to the right. */
export function markdownTable(
	rows: readonly (readonly string[])[],
	leftColumns: readonly number[] = [0],
): string {
	const [head = [], ...body] = rows;
	const widths = head.map((_, column) =>
		Math.max(3, ...rows.map((cells) => (cells[column] as string).length)),
	);
	const line = (cells: readonly string[]): string =>
		`| ${cells
			.map((cell, column) => {
				const width = widths[column] as number;
				return leftColumns.includes(column)
					? cell.padEnd(width)
					: cell.padStart(width);
			})
			.join(" | ")} |`;
	const rule = widths.map((width, column) =>
		leftColumns.includes(column)
			? "-".repeat(width)
			: `${"-".repeat(width - 1)}:`,
	);
	return [line(head), line(rule), ...body.map(line)].join("\n");
}
