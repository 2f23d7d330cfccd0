/**
 * Returns a filter expression that compares a field with a value. Returns undefined if the value cannot be written in a
 * filter (https://developer.hashicorp.com/consul/api-docs/features/filtering).
 */
export function equals(field: string, value: string): string | undefined {
	return /["\\]/.test(value) ? undefined : `${field} == "${value}"`;
}
