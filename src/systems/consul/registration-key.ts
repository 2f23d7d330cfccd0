/** In the Meta of what homing registers: which registration it is of, among those of the same id. Clients do not see it. */
export const REGISTRATION_KEY = "homing-registration";
