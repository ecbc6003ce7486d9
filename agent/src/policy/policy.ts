import { LONGEST_TIMER_MS } from "@cmdop/kit";
import {
  CmdopError,
  MAX_PATH_BYTES,
  parseStrictJson,
  RECONNECT_WINDOW_MS,
  SCOPES,
  type Scope,
} from "@cmdop/proto";
import { z } from "zod";
import { JOB_LIMITS } from "../jobs/limits.ts";
import { environmentRules } from "../login/environment-rules.ts";
import { ASKABLE } from "./ask.ts";

/** Directories, programs or texts that a policy may list in one field. */
const MAX_POLICY_ENTRIES = 64;

/**
 * Longest time for which jobs are kept, in milliseconds: a year. For longer, an archive is the right place.
 */
const MAX_KEPT_MS = 365 * 24 * 3_600_000;

/** Shortest `outcomeKeptMs`, in milliseconds: a retry at the end of the SDK's reconnect window must find its first attempt. */
const MIN_OUTCOME_KEPT_MS = 2 * RECONNECT_WINDOW_MS;

/** Default of `askTimeoutMs`, in milliseconds. */
export const DEFAULT_ASK_TIMEOUT_MS = 300_000;

/** Largest `askTimeoutMs`: a day. Each waiting call holds a stream. */
const MAX_ASK_TIMEOUT_MS = 24 * 3_600_000;

/** Shortest text for `redact`: a shorter one would hide half of everything. */
const MIN_REDACT_CHARACTERS = 4;

/** Scopes with which a caller could change something; `readOnly` withholds them. */
const WRITING_SCOPES: ReadonlySet<Scope> = new Set(["terminal", "files:write", "agent"]);

const path = z.string().max(MAX_PATH_BYTES);
const scopes = z.array(z.enum(SCOPES)).max(SCOPES.length);

const policySchema = z
  .strictObject({
    /** Scopes that callers may have at most. Absent means everything that they are granted. */
    scopes: scopes.optional(),
    /** The same for callers of the local socket without a token. */
    local: scopes.optional(),
    /**
     * Directories, with everything below them, to which files are limited. Absent means everywhere. `~`
     * expands.
     */
    roots: z
      .array(path.regex(/^(?:\/|~$|~\/)/, "expected a path that begins with / or ~/"))
      .min(1)
      .max(MAX_POLICY_ENTRIES)
      .optional(),
    /** True withholds everything that could change something: files:write, terminal and agent. */
    readOnly: z.boolean().optional(),
    /**
     * Programs that a caller may start, by absolute path: as the shell of a session, as the first argument of
     * an exec, as the shell of a line (the user's own if it is listed, else /bin/sh if that is), and as the
     * shell that reads a profile. Absent means all. The programs that such a program starts in turn are not
     * limited: with a shell in the list, a caller can run anything.
     */
    shells: z
      .array(path.regex(/^\/[^\0]+$/, "expected the absolute path of a program"))
      .min(1)
      .max(MAX_POLICY_ENTRIES)
      .optional(),
    /** The user that jobs run as; requires that the agent runs as root. Absent means the agent's own user. */
    user: z
      .string()
      // A name that begins with a digit would be looked up as a number.
      .regex(/^[A-Za-z_][\w.-]{0,31}$/, "expected the name of a user of this machine")
      .optional(),
    /** Environment of jobs beyond that of a login; see environment-rules.ts. */
    environment: environmentRules.optional(),
    /** Scopes and methods whose calls wait until a person approves them. */
    ask: z
      .array(z.enum(ASKABLE, `expected one of ${ASKABLE.join(", ")}`))
      .max(ASKABLE.length)
      .optional(),
    /**
     * Longest wait for an approval, in milliseconds; then the call is refused. Default:
     * DEFAULT_ASK_TIMEOUT_MS.
     */
    askTimeoutMs: z.int().min(1).max(MAX_ASK_TIMEOUT_MS).optional(),
    /**
     * Texts after which the audit hides everything up to the next space, for example "--password=". See
     * redact.ts.
     */
    redact: z.array(z.string().min(MIN_REDACT_CHARACTERS).max(256)).max(MAX_POLICY_ENTRIES).optional(),
    /** Limits on jobs, below those that the agent has anyway. */
    limits: z
      .strictObject({
        /** Jobs that run at the same time. */
        maxRunningJobs: z.int().min(0).max(JOB_LIMITS.maxRunningJobs).optional(),
        /** Sessions among those jobs. */
        maxSessions: z.int().min(0).max(JOB_LIMITS.maxSessions).optional(),
        /**
         * Longest run of a job, in milliseconds; then it ends `timed_out`. A shorter limit of the job's own
         * takes precedence.
         */
        maxJobMs: z.int().min(1_000).max(LONGEST_TIMER_MS).optional(),
      })
      .optional(),
    /** Times for which the machine remembers jobs. Defaults: an hour, and a day. */
    jobs: z
      .strictObject({
        /** Time for which the output of an ended job is kept, in milliseconds. */
        outputKeptMs: z.int().min(0).max(MAX_KEPT_MS).default(JOB_LIMITS.outputKeptMs),
        /**
         * Further time for which its id and outcome are kept, in milliseconds. In this time the same id never
         * runs again.
         */
        outcomeKeptMs: z.int().min(MIN_OUTCOME_KEPT_MS).max(MAX_KEPT_MS).default(JOB_LIMITS.outcomeKeptMs),
      })
      .optional(),
  })
  .superRefine((policy, context) => {
    if (policy.roots === undefined || withheldBy(policy, "terminal") !== undefined) return;
    context.addIssue({
      code: "custom",
      path: ["roots"],
      message:
        'roots can\'t bind "terminal", which is the full authority of the user that jobs run as: list scopes without "terminal", or leave roots out',
    });
  });

/** The limits that a machine sets to its callers, whatever they were granted. */
export type Policy = z.infer<typeof policySchema>;

/**
 * Returns the field of a policy that withholds a scope; undefined if none does. `local`: for a caller of the
 * local socket without a token.
 */
export function withheldBy(
  policy: Pick<Policy, "scopes" | "readOnly" | "local">,
  scope: Scope,
  local = false,
): keyof Policy | undefined {
  if (policy.readOnly === true && WRITING_SCOPES.has(scope)) return "readOnly";
  if (policy.scopes !== undefined && !policy.scopes.includes(scope)) return "scopes";
  if (local && policy.local !== undefined && !policy.local.includes(scope)) return "local";
  return undefined;
}

/** Parses the text of a policy. `file`: its path, for errors. @throws CmdopError InvalidArgument */
export function parsePolicy(text: string, file: string): Policy {
  let json: unknown;
  try {
    // Duplicate fields are refused: the author means one of them, and the parser might take the other.
    json = parseStrictJson(text);
  } catch (thrown) {
    throw brokenPolicy(file, [thrown instanceof Error ? thrown.message : String(thrown)], thrown);
  }
  const checked = policySchema.safeParse(json);
  if (!checked.success) throw brokenPolicy(file, checked.error.issues.map(explain), checked.error);
  return checked.data;
}

/** Returns the error for a policy that can't be used. */
export function brokenPolicy(file: string, reasons: readonly string[], cause?: unknown): CmdopError {
  return new CmdopError("InvalidArgument", `The policy ${file} can't be used: ${reasons.join("; ")}.`, {
    cause,
    next: `Correct ${file}, for example {"scopes": ["files:read"], "roots": ["~/shared"]}; delete it to allow everything that is granted.`,
  });
}

/** Lists the fields that are valid at a place; empty where a list would not help. */
function knownFields(at: readonly PropertyKey[]): string {
  if (at.length === 0) return `; a policy has ${Object.keys(policySchema.shape).join(", ")}`;
  if (at[0] === "environment") return `; it has ${Object.keys(environmentRules.shape).join(", ")}`;
  return "";
}

function explain(issue: z.core.$ZodIssue): string {
  const where = issue.path.length === 0 ? "" : `${issue.path.join(".")}: `;
  if (issue.code !== "unrecognized_keys") return where + issue.message;
  const known = knownFields(issue.path);
  return `${where}unknown field ${issue.keys.map((key) => JSON.stringify(key)).join(", ")}${known}`;
}
