import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { resultsOf } from "../simulation/page.ts";
import { scenarios } from "../simulation/scenarios.ts";

const docs = fileURLToPath(new URL(".", import.meta.url));
const page = readFileSync(`${docs}simulation.md`, "utf8");

describe("docs/simulation.md", () => {
	const written = resultsOf(page);

	test.for(scenarios.map((scenario) => [scenario.name, scenario] as const))(
		"contains the current title, story and policies of the scenario %s",
		([name, scenario]) => {
			const [, text = ""] = written.split(`## ${scenario.title}\n`);
			const [own] = text.split("\n## ");
			expect(written).toContain(`- **${scenario.title}.** Of 1000 calls`);
			expect(own).toContain(scenario.story);
			for (const { name } of scenario.policies) {
				expect(own).toContain(`| ${name} `);
			}
			expect(own).toContain(`](simulation/${name}.svg)`);
			expect(existsSync(`${docs}simulation/${name}.svg`)).toBe(true);
		},
	);

	test("explains every policy", () => {
		const [before = ""] = page.split(written);
		for (const { name } of scenarios.flatMap(({ policies }) => policies)) {
			expect(before).toContain(`| ${name} `);
		}
	});
});
