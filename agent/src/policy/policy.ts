import { LONGEST_TIMER_MS } from "@cmdop/kit";
import { CmdopError, MAX_PATH_BYTES, parseStrictJson, SCOPES, type Scope } from "@cmdop/proto";
import { z } from "zod";
import { JOB_LIMITS } from "../jobs/limits.ts";
import { environmentRules } from "../login/environment-rules.ts";
import { ASKABLE } from "./ask.ts";

/** Directories, programs or patterns that a policy may name in one field. */
const MAX_POLICY_ENTRIES = 64;

/** A year, in milliseconds: what is wanted for longer belongs into an archive. */
const MAX_KEPT_MS = 365 * 24 * 3_600_000;

/** Ten times the SDK's reconnect window, in milliseconds: a late retry must find what it started. */
const MIN_OUTCOME_KEPT_MS = 600_000;

/** How long a call waits for a person where the policy does not say, in milliseconds. */
export const DEFAULT_ASK_TIMEOUT_MS = 300_000;

/** How long it may wait at most, in milliseconds: a day. Each one that waits holds a stream. */
const MAX_ASK_TIMEOUT_MS = 24 * 3_600_000;

/** A shorter text would hide half of everything. */
const MIN_REDACT_CHARACTERS = 4;

/** What a caller could write with; `readOnly` withholds it. */
const WRITING_SCOPES: ReadonlySet<Scope> = new Set(["terminal", "files:write", "agent"]);

const path = z.string().max(MAX_PATH_BYTES);
const scopes = z.array(z.enum(SCOPES)).max(SCOPES.length);

const policySchema = z
  .strictObject({
    /** What callers may do at most; absent means everything that they are granted. */
    scopes: scopes.optional(),
    /** The same for callers of the local socket that show no token. */
    local: scopes.optional(),
    /** Directories (with all below them) that files are bound to; absent means everywhere. `~` expands. */
    roots: z
      .array(path.regex(/^(?:\/|~$|~\/)/, "expected a path that begins with / or ~/"))
      .min(1)
      .max(MAX_POLICY_ENTRIES)
      .optional(),
    /** True withholds everything that could change something: files:write, terminal and agent. */
    readOnly: z.boolean().optional(),
    /**
     * The programs that a caller may start, by absolute path: as the shell of a
     * session, as the first argument of an exec, and as the shell of a line (the
     * user's own where it is listed, else /bin/sh where that is) or of a profile.
     * Absent means all. Nothing binds what such a program starts in turn: with a
     * shell among them, a caller can run anything.
     */
    shells: z
      .array(path.regex(/^\/[^\0]+$/, "expected the absolute path of a program"))
      .min(1)
      .max(MAX_POLICY_ENTRIES)
      .optional(),
    /** The user that jobs run as; the agent must run as root then. Absent means the agent's own. */
    user: z
      .string()
      // A name that begins with a digit would be looked up as a number.
      .regex(/^[A-Za-z_][\w.-]{0,31}$/, "expected the name of a user of this machine")
      .optional(),
    /** What jobs find in their environment beyond what a login gives; see environment-rules.ts. */
    environment: environmentRules.optional(),
    /** Scopes and methods whose calls wait until a person has said yes. */
    ask: z
      .array(z.enum(ASKABLE, `expected one of ${ASKABLE.join(", ")}`))
      .max(ASKABLE.length)
      .optional(),
    /** How long they wait at most, in milliseconds; five minutes unless said. Silence is a no. */
    askTimeoutMs: z.int().min(1).max(MAX_ASK_TIMEOUT_MS).optional(),
    /** Texts behind which the audit hides what follows, up to the next space: "--password=". See redact.ts. */
    redact: z.array(z.string().min(MIN_REDACT_CHARACTERS).max(256)).max(MAX_POLICY_ENTRIES).optional(),
    /** Ceilings on jobs, below those that the agent has anyway. */
    limits: z
      .strictObject({
        /** Jobs that run at once. */
        maxRunningJobs: z.int().min(0).max(JOB_LIMITS.maxRunningJobs).optional(),
        /** Sessions among them. */
        maxSessions: z.int().min(0).max(JOB_LIMITS.maxSessions).optional(),
        /** How long a job runs at most, in milliseconds; then it ends `timed_out`. A shorter limit of its own counts. */
        maxJobMs: z.int().min(1_000).max(LONGEST_TIMER_MS).optional(),
      })
      .optional(),
    /** How long the machine remembers jobs; where a field is absent: an hour, and a day. */
    jobs: z
      .strictObject({
        /** Output of an ended job, in milliseconds. */
        outputKeptMs: z.int().min(0).max(MAX_KEPT_MS).default(JOB_LIMITS.outputKeptMs),
        /** Id and outcome after that, in milliseconds: the time in which the same id never runs again. */
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

/** What a machine allows its callers, whatever they were granted. */
export type Policy = z.infer<typeof policySchema>;

/**
 * Which field of a policy withholds a scope; undefined where none does.
 * `local`: from a caller of the local socket that showed no token.
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

/** The policy that a text says. `file`: where it came from, for errors. @throws CmdopError InvalidArgument */
export function parsePolicy(text: string, file: string): Policy {
  let json: unknown;
  try {
    // Of a field that stands twice, its author means one, and the machine would take the other.
    json = parseStrictJson(text);
  } catch (thrown) {
    throw brokenPolicy(file, [thrown instanceof Error ? thrown.message : String(thrown)], thrown);
  }
  const checked = policySchema.safeParse(json);
  if (!checked.success) throw brokenPolicy(file, checked.error.issues.map(explain), checked.error);
  return checked.data;
}

/** What is said of a policy that can't be used. */
export function brokenPolicy(file: string, reasons: readonly string[], cause?: unknown): CmdopError {
  return new CmdopError("InvalidArgument", `The policy ${file} can't be used: ${reasons.join("; ")}.`, {
    cause,
    next: `Correct ${file}, for example {"scopes": ["files:read"], "roots": ["~/shared"]}; delete it to allow everything that is granted.`,
  });
}

/** Which fields there are, where that is worth a sentence. */
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
