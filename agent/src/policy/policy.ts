import { readFile, stat } from "node:fs/promises";
import { CmdopError, MAX_PATH_BYTES, SCOPES, type Scope } from "@cmdop/proto";
import { z } from "zod";
import { fileError } from "../files/errors.ts";
import { JOB_LIMITS } from "../jobs/limits.ts";

/** A policy is a few lines; a file larger than this is something else. */
const MAX_POLICY_BYTES = 64 * 1024;

/** Directories that a policy may name. */
const MAX_POLICY_ROOTS = 64;

/** A year, in milliseconds: what is wanted for longer belongs into an archive. */
const MAX_KEPT_MS = 365 * 24 * 3_600_000;

/** Ten times the SDK's reconnect window, in milliseconds: a late retry must find what it started. */
const MIN_OUTCOME_KEPT_MS = 600_000;

/** What a caller could write with; `readOnly` withholds it. */
const WRITING_SCOPES: ReadonlySet<Scope> = new Set(["terminal", "files:write", "agent"]);

const policySchema = z
  .strictObject({
    /** What callers may do at most; absent means everything that they are granted. */
    scopes: z.array(z.enum(SCOPES)).max(SCOPES.length).optional(),
    /** Directories (with all below them) that files are bound to; absent means everywhere. `~` expands. */
    roots: z
      .array(
        z
          .string()
          .max(MAX_PATH_BYTES)
          .regex(/^(?:\/|~$|~\/)/, "expected a path that begins with / or ~/"),
      )
      .min(1)
      .max(MAX_POLICY_ROOTS)
      .optional(),
    /** True withholds everything that could change something: files:write, terminal and agent. */
    readOnly: z.boolean().optional(),
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

/** Which field of a policy withholds a scope; undefined where none does. */
export function withheldBy(
  policy: Pick<Policy, "scopes" | "readOnly">,
  scope: Scope,
): keyof Policy | undefined {
  if (policy.readOnly === true && WRITING_SCOPES.has(scope)) return "readOnly";
  return policy.scopes === undefined || policy.scopes.includes(scope) ? undefined : "scopes";
}

/** Reads a policy file. A missing one allows everything; a broken one throws InvalidArgument that says where and why. */
export async function loadPolicy(file: string): Promise<Policy> {
  const text = await readPolicy(file);
  return text === undefined ? {} : parsePolicy(text, file);
}

/** The policy that a text says. `file`: where it came from, for errors. */
export function parsePolicy(text: string, file: string): Policy {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (thrown) {
    throw broken(file, [thrown instanceof Error ? thrown.message : String(thrown)], thrown);
  }
  const checked = policySchema.safeParse(json);
  if (!checked.success) throw broken(file, checked.error.issues.map(explain), checked.error);
  return checked.data;
}

async function readPolicy(file: string): Promise<string | undefined> {
  try {
    const { size } = await stat(file);
    if (size > MAX_POLICY_BYTES)
      throw broken(file, [`it has ${size} bytes; ${MAX_POLICY_BYTES} is the limit`]);
    return await readFile(file, "utf8");
  } catch (thrown) {
    const error = fileError(thrown, "read the policy", file);
    if (error.code === "NotFound") return undefined;
    throw error;
  }
}

function explain(issue: z.core.$ZodIssue): string {
  const where = issue.path.length === 0 ? "" : `${issue.path.join(".")}: `;
  if (issue.code !== "unrecognized_keys") return where + issue.message;
  const known = Object.keys(policySchema.shape).join(", ");
  return `unknown field ${issue.keys.map((key) => JSON.stringify(key)).join(", ")}; a policy has ${known}`;
}

function broken(file: string, reasons: readonly string[], cause?: unknown): CmdopError {
  return new CmdopError("InvalidArgument", `The policy ${file} can't be used: ${reasons.join("; ")}.`, {
    cause,
    next: `Correct ${file}, for example {"scopes": ["files:read"], "roots": ["~/shared"]}; delete it to allow everything that is granted.`,
  });
}
