import type { Attacks } from "./attacks/attack.ts";
import { BOUNDARIES } from "./attacks/boundaries.ts";
import { CALLERS } from "./attacks/callers.ts";
import { FAULTS } from "./attacks/faults.ts";
import { PARTIES } from "./attacks/parties.ts";
import { PEOPLE } from "./attacks/people.ts";

/**
 * Every attack that has a test, by who attacks. docs/security-tests.md is made of
 * it (npm run security-tests), and a test sees to it that each row's test is there.
 */
export const ATTACKS: Attacks = { ...CALLERS, ...BOUNDARIES, ...PARTIES, ...PEOPLE, ...FAULTS };
