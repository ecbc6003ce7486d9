import {
  MAX_COMMAND_BYTES,
  MAX_INLINE_STDIN_BYTES,
  MAX_MESSAGE_BYTES,
  MAX_OUTPUT_SCHEMA_BYTES,
  MAX_PROMPT_BYTES,
  MAX_ROSTER_BYTES,
  MAX_STATEMENT_BYTES,
} from "./limits.ts";
import type { LaneName } from "./transport/lanes.ts";

/** Scopes that a key may have. `terminal` is the full authority of the user that jobs run as. */
export const SCOPES = [
  "terminal",
  "files:read",
  "files:write",
  "agent",
  "machines:read",
  "audit:read",
  "approve",
  "admin",
] as const;
export type Scope = (typeof SCOPES)[number];

/** Scopes that may be limited to paths. */
export type PathScope = Extract<Scope, `files:${string}`>;

/**
 * Scopes that an owner key has as a caller. For anything on a machine, it must first grant a scope to a key.
 */
export const OWNER_SCOPES: readonly Scope[] = ["machines:read", "audit:read", "admin"];

/** Default for `maxRequestBytes`: some paths and ids. */
export const DEFAULT_MAX_REQUEST_BYTES = 64 * 1024;

/**
 * Bytes of the largest command with its standard input; on the wire each argument and variable costs some
 * bytes more.
 */
const MAX_START_BYTES = MAX_INLINE_STDIN_BYTES + 2 * MAX_COMMAND_BYTES + DEFAULT_MAX_REQUEST_BYTES;

/** A request stream has no limit: flow control bounds the part that is held. */
const ENDLESS = Number.POSITIVE_INFINITY;

/** The table's entry for a method. */
export interface MethodRule {
  /** Scopes that the caller's key must have, all of them; none means any valid key. */
  readonly scopes: readonly Scope[];
  /** True for methods that only the roster's owner keys may call. */
  readonly owner?: true;
  /**
   * Fields of the request (or of a request stream's first message) that hold paths, and the access that each
   * needs.
   */
  readonly paths?: readonly { readonly field: string; readonly access: PathScope }[];
  /** The connection that carries it. */
  readonly lane: LaneName;
  /**
   * Largest request body on the wire, in bytes, because the receiver must hold it whole. Infinite for request
   * streams. Default: DEFAULT_MAX_REQUEST_BYTES.
   */
  readonly maxRequestBytes?: number;
  /**
   * The SDK's action after a lost reply. `safe`: repeats the call (a read). `atomic`: repeats it (a
   * whole-file write, with the same result). `job`: repeats it with the same job id, which attaches. `never`:
   * throws OutcomeUnknown.
   */
  readonly retry: "safe" | "atomic" | "job" | "never";
  /**
   * True for methods that change at most a terminal's size: if one key calls them very often, an audit counts
   * the calls.
   */
  readonly countable?: true;
}

/**
 * Every method that a caller can reach, by its path on the wire. The relay routes no others, the agent and
 * the relay's services admit no others, and a test fails if a service has a method that is missing here.
 */
export const METHODS: Readonly<Record<string, MethodRule>> = {
  "/cmdop.v1.Exec/Start": {
    scopes: ["terminal"],
    lane: "interactive",
    maxRequestBytes: MAX_START_BYTES,
    retry: "job",
  },

  "/cmdop.v1.Sessions/Create": {
    scopes: ["terminal"],
    lane: "interactive",
    maxRequestBytes: 2 * MAX_COMMAND_BYTES + DEFAULT_MAX_REQUEST_BYTES,
    retry: "job",
  },
  "/cmdop.v1.Sessions/Resize": {
    scopes: ["terminal"],
    lane: "interactive",
    retry: "atomic",
    countable: true,
  },
  "/cmdop.v1.Sessions/Screen": { scopes: ["terminal"], lane: "interactive", retry: "safe", countable: true },
  "/cmdop.v1.Sessions/History": { scopes: ["terminal"], lane: "interactive", retry: "safe", countable: true },

  "/cmdop.v1.Jobs/Attach": { scopes: ["terminal"], lane: "interactive", retry: "safe", countable: true },
  "/cmdop.v1.Jobs/Input": {
    scopes: ["terminal"],
    lane: "interactive",
    maxRequestBytes: ENDLESS,
    retry: "job",
  },
  "/cmdop.v1.Jobs/Cancel": { scopes: ["terminal"], lane: "interactive", retry: "safe" },
  "/cmdop.v1.Jobs/Signal": { scopes: ["terminal"], lane: "interactive", retry: "never" },
  "/cmdop.v1.Jobs/List": { scopes: ["terminal"], lane: "interactive", retry: "safe", countable: true },

  "/cmdop.v1.Agent/Run": {
    scopes: ["agent"],
    lane: "interactive",
    maxRequestBytes: MAX_PROMPT_BYTES + MAX_OUTPUT_SCHEMA_BYTES + DEFAULT_MAX_REQUEST_BYTES,
    retry: "job",
  },
  "/cmdop.v1.Agent/Attach": { scopes: ["agent"], lane: "interactive", retry: "safe", countable: true },
  "/cmdop.v1.Agent/Cancel": { scopes: ["agent"], lane: "interactive", retry: "safe" },
  "/cmdop.v1.Agent/Approve": { scopes: ["agent"], lane: "interactive", retry: "never" },

  "/cmdop.v1.Files/List": read("interactive"),
  "/cmdop.v1.Files/Walk": read("download"),
  "/cmdop.v1.Files/Search": read("download"),
  "/cmdop.v1.Files/Read": read("interactive"),
  "/cmdop.v1.Files/Info": read("interactive"),
  "/cmdop.v1.Files/ReadStream": read("download"),
  "/cmdop.v1.Files/Write": {
    ...write("path", "interactive", "atomic"),
    maxRequestBytes: MAX_MESSAGE_BYTES,
  },
  "/cmdop.v1.Files/WriteStream": {
    ...write("header.path", "upload", "atomic"),
    maxRequestBytes: ENDLESS,
  },
  "/cmdop.v1.Files/Partial": write("path", "upload", "safe"),
  "/cmdop.v1.Files/Symlink": write("path", "interactive", "never"),
  "/cmdop.v1.Files/Append": {
    ...write("path", "interactive", "never"),
    maxRequestBytes: MAX_MESSAGE_BYTES,
  },
  // A match reveals the file's content, so this needs files:read, too.
  "/cmdop.v1.Files/Edit": {
    ...write("path", "interactive", "never"),
    scopes: ["files:read", "files:write"],
    maxRequestBytes: MAX_MESSAGE_BYTES,
  },
  "/cmdop.v1.Files/Delete": write("path", "interactive", "never"),
  "/cmdop.v1.Files/Mkdir": write("path", "interactive", "never"),
  "/cmdop.v1.Files/Copy": {
    scopes: ["files:read", "files:write"],
    paths: [
      { field: "source", access: "files:read" },
      { field: "destination", access: "files:write" },
    ],
    lane: "interactive",
    retry: "never",
  },
  "/cmdop.v1.Files/Move": {
    scopes: ["files:read", "files:write"],
    paths: [
      { field: "source", access: "files:write" },
      { field: "destination", access: "files:write" },
    ],
    lane: "interactive",
    retry: "never",
  },

  "/cmdop.v1.Machine/Info": {
    scopes: ["machines:read"],
    lane: "interactive",
    retry: "safe",
    countable: true,
  },
  "/cmdop.v1.Machine/Explain": {
    scopes: ["machines:read"],
    lane: "interactive",
    maxRequestBytes: MAX_STATEMENT_BYTES + DEFAULT_MAX_REQUEST_BYTES,
    retry: "safe",
    countable: true,
  },
  "/cmdop.v1.Machine/AuditHead": {
    scopes: ["audit:read"],
    lane: "interactive",
    retry: "safe",
    countable: true,
  },

  "/cmdop.v1.Approvals/List": { scopes: ["approve"], lane: "interactive", retry: "safe", countable: true },
  "/cmdop.v1.Approvals/Answer": { scopes: ["approve"], lane: "interactive", retry: "never" },

  "/cmdop.relay.v1.Machines/List": {
    scopes: ["machines:read"],
    lane: "interactive",
    retry: "safe",
    countable: true,
  },
  "/cmdop.relay.v1.Machines/Put": {
    scopes: [],
    owner: true,
    lane: "interactive",
    maxRequestBytes: 2 * MAX_STATEMENT_BYTES,
    retry: "safe",
  },
  // Only an owner may decide which agent is the machine.
  "/cmdop.relay.v1.Machines/Release": { scopes: [], owner: true, lane: "interactive", retry: "safe" },
  "/cmdop.relay.v1.Machines/Remove": { scopes: ["admin"], lane: "interactive", retry: "safe" },
  "/cmdop.relay.v1.Keys/WhoAmI": { scopes: [], lane: "interactive", retry: "safe", countable: true },
  "/cmdop.relay.v1.Keys/Put": {
    scopes: [],
    owner: true,
    lane: "interactive",
    maxRequestBytes: 2 * MAX_STATEMENT_BYTES,
    retry: "safe",
  },
  "/cmdop.relay.v1.Keys/List": { scopes: ["admin"], lane: "interactive", retry: "safe", countable: true },
  "/cmdop.relay.v1.Keys/Block": { scopes: ["admin"], lane: "interactive", retry: "safe" },
  "/cmdop.relay.v1.Roster/Get": { scopes: [], lane: "interactive", retry: "safe", countable: true },
  "/cmdop.relay.v1.Roster/Put": {
    scopes: [],
    owner: true,
    lane: "interactive",
    maxRequestBytes: MAX_ROSTER_BYTES + DEFAULT_MAX_REQUEST_BYTES,
    retry: "safe",
  },
  "/cmdop.relay.v1.Audit/Query": {
    scopes: ["audit:read"],
    lane: "interactive",
    retry: "safe",
    countable: true,
  },
  "/cmdop.relay.v1.Audit/Chains": {
    scopes: ["audit:read"],
    lane: "interactive",
    retry: "safe",
    countable: true,
  },
  "/cmdop.relay.v1.Audit/Read": { scopes: ["audit:read"], lane: "download", retry: "safe", countable: true },
};

/** Prefix of the paths of the relay's own services; all other calls go to a machine. */
export const RELAY_SERVICES_PREFIX = "/cmdop.relay.v1.";

/** Prefix of the paths of the link's own service, which only a relay calls, on a link. */
export const LINK_SERVICE_PREFIX = "/cmdop.v1.Link/";

/** Returns the rule of a method, safely for any path that arrives. */
export function methodRule(path: string): MethodRule | undefined {
  return Object.hasOwn(METHODS, path) ? METHODS[path] : undefined;
}

/** Returns the paths in a decoded request, with the access that each needs. */
export function requestPaths(rule: MethodRule, request: object): { path: string; access: PathScope }[] {
  return (rule.paths ?? []).map(({ field, access }) => ({ path: textAt(request, field), access }));
}

function read(lane: MethodRule["lane"]): MethodRule {
  return {
    scopes: ["files:read"],
    paths: [{ field: "path", access: "files:read" }],
    lane,
    retry: "safe",
    countable: true,
  };
}

function write(field: string, lane: MethodRule["lane"], retry: MethodRule["retry"]): MethodRule {
  return { scopes: ["files:write"], paths: [{ field, access: "files:write" }], lane, retry };
}

function textAt(message: object, field: string): string {
  let value: unknown = message;
  for (const name of field.split(".")) {
    value = typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
  }
  return typeof value === "string" ? value : "";
}
