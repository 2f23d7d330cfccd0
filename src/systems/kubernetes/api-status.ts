import { DiscoveryError } from "../discovery-error.ts";
import { type ApiAnswer, excerptOf } from "../http-api.ts";

/** Thrown when the API server no longer holds a resource version (410 Gone), so that a new list is needed. */
export class Expired extends Error {
	override readonly name = "Expired";
}

/** Makes the error for an answer of the API server with another status than 200. */
export function statusError(
	answer: ApiAnswer,
	place: {
		/** The API server and its address. */
		readonly api: string;
		readonly namespace: string;
		/** Describes the token of the request; undefined if there was none. */
		readonly token: string | undefined;
	},
): Error {
	const { api, namespace, token } = place;
	const { status } = answer;
	const words = excerptOf(answer);
	const said = words === "" ? "" : `: ${words}`;
	switch (status) {
		case 401:
			return new DiscoveryError(
				"forbidden",
				token === undefined
					? `${api} requires a token (401)${said}. Set the option token or tokenFile; a pod has one unless automountServiceAccountToken is false`
					: `${api} does not accept ${token} (401)${said}`,
			);
		case 403:
			return new DiscoveryError(
				"forbidden",
				`${api} does not allow reading EndpointSlices in namespace ${namespace} ${token === undefined ? "without a token" : `with ${token}`} (403)${said}. Bind its service account to a Role in ${namespace} with the rule { apiGroups: ["discovery.k8s.io"], resources: ["endpointslices"], verbs: ["list", "watch"] }`,
			);
		case 404:
			return new DiscoveryError(
				"badAnswer",
				`${api} has no EndpointSlices of discovery.k8s.io/v1 (404)${said}. Kubernetes has them since 1.21: is this an API server?`,
			);
		case 410:
			return new Expired(
				`${api} no longer holds the resource version (410)${said}`,
			);
		default:
			return new DiscoveryError(
				status === 429 || status >= 500 ? "unreachable" : "badAnswer",
				`${api} answered with status ${status}${said}`,
			);
	}
}
