/** A filter for what has a field of this value; undefined for a value that a filter has no way to write (https://developer.hashicorp.com/consul/api-docs/features/filtering). */
export function equals(field: string, value: string): string | undefined {
	return /["\\]/.test(value) ? undefined : `${field} == "${value}"`;
}
