/**
 * Number in the names of the wire protocol: `cmdop.v1`, `cmdop-agent/1`. Ends with the same number understand
 * each other.
 */
export const PROTOCOL = 1;
