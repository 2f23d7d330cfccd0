/**
 * The key in Meta under which homing stores which registration, among those with the same id, a service belongs to. It is
 * not among the attributes of endpoints.
 */
export const REGISTRATION_KEY = "homing-registration";
