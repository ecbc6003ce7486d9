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

/** What a key may be allowed to do. `terminal` is the full authority of the user that jobs run as. */
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

/** The scopes that may be bound to paths. */
export type PathScope = Extract<Scope, `files:${string}`>;

/** The scopes that an owner key has as a caller. Anything on a machine it must grant to a key first. */
export const OWNER_SCOPES: readonly Scope[] = ["machines:read", "audit:read", "admin"];

/** Bytes of a request body where the table names no other bound: some paths and ids. */
export const DEFAULT_MAX_REQUEST_BYTES = 64 * 1024;

/** A command of its largest, its standard input with it; on the wire each argument and variable costs some bytes more. */
const MAX_START_BYTES = MAX_INLINE_STDIN_BYTES + 2 * MAX_COMMAND_BYTES + DEFAULT_MAX_REQUEST_BYTES;

/** A request stream goes on for as long as it likes: flow control bounds what of it is held. */
const ENDLESS = Number.POSITIVE_INFINITY;

/** What the table says of one method. */
export interface MethodRule {
  /** Scopes that the caller's key must all have; none means any valid key. */
  readonly scopes: readonly Scope[];
  /** Who may call besides: `owner` methods are for keys that the roster names as owners, and for nobody else. */
  readonly owner?: true;
  /** Where the request (or the first message of a request stream) names paths, and what is done to them. */
  readonly paths?: readonly { readonly field: string; readonly access: PathScope }[];
  /** Which connection carries it. */
  readonly lane: LaneName;
  /**
   * Bytes of the request's body on the wire, since whoever answers must hold it
   * whole; infinite for request streams, DEFAULT_MAX_REQUEST_BYTES where absent.
   */
  readonly maxRequestBytes?: number;
  /**
   * What the SDK may do when the reply was lost: `safe` (reads: again), `atomic`
   * (whole-file writes: again, the result is the same), `job` (again with the
   * same job id, which attaches), `never` (throw OutcomeUnknown).
   */
  readonly retry: "safe" | "atomic" | "job" | "never";
  /** It changes nothing, or no more than a terminal's size: where one key makes very many of them, an audit counts them. */
  readonly countable?: true;
}

/**
 * Every method that a caller can reach, by its path on the wire. The relay
 * routes nothing else, the agent and the relay's services admit nothing else,
 * and a test fails when a service has a method that is missing here.
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
  // Whether something matches tells what is in the file.
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
  // Who may answer for a machine is for owners to say.
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

/** What the paths of the relay's own services begin with; everything else goes to a machine. */
export const RELAY_SERVICES_PREFIX = "/cmdop.relay.v1.";

/** What the paths of the link's own service begin with; only a relay calls it, on a link. */
export const LINK_SERVICE_PREFIX = "/cmdop.v1.Link/";

/** The rule of a method, looked up safely by whatever path arrived. */
export function methodRule(path: string): MethodRule | undefined {
  return Object.hasOwn(METHODS, path) ? METHODS[path] : undefined;
}

/** The paths that a decoded request names, with what is to be done to each. */
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
