/** All cases. Each pair of a client and a server must pass them. */

import { cancellationCases } from "./cancellation.ts";
import type { Case } from "./case.ts";
import { deadlineCases } from "./deadlines.ts";
import { gzipCases } from "./gzip.ts";
import { kindCases } from "./kinds.ts";
import { metadataCases } from "./metadata.ts";
import { sizeCases } from "./sizes.ts";
import { statusCases } from "./statuses.ts";
import { tlsCases } from "./tls.ts";

export const cases: readonly Case[] = [
	...kindCases,
	...statusCases,
	...metadataCases,
	...deadlineCases,
	...cancellationCases,
	...sizeCases,
	...gzipCases,
	...tlsCases,
];
