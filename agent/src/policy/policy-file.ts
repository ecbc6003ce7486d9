import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import path from "node:path";
import { agentStateDir, CmdopError } from "@cmdop/proto";
import { fileError } from "../files/place/errors.ts";
import type { JobUser } from "../jobs/process/run-as.ts";
import { findUser } from "./job-user.ts";
import { brokenPolicy, type Policy, parsePolicy } from "./policy.ts";

/** A policy is a few lines; a file larger than this is something else. */
const MAX_POLICY_BYTES = 64 * 1024;

/** A policy as it was found. */
export interface LoadedPolicy {
  readonly policy: Policy;
  /** SHA-256 of the file, base64url; null where there is none. */
  readonly hash: string | null;
  /** The user that jobs run as, where it is not the agent's own. */
  readonly user: JobUser | undefined;
}

/** Where a machine keeps its policy. `home`: CMDOP_HOME. */
export function policyFile(home: string): string {
  return path.join(agentStateDir(home), "policy.json");
}

/**
 * Reads a policy file and looks up what it names. A missing one allows
 * everything that is granted.
 * @throws CmdopError InvalidArgument that says where and why, AccessDenied where others could have written it
 */
export async function loadPolicy(file: string): Promise<LoadedPolicy> {
  const text = await readPolicyText(file);
  if (text === undefined) return { policy: {}, hash: null, user: undefined };
  const policy = parsePolicy(text, file);
  return { policy, hash: policyHash(text), user: await userOf(policy, file) };
}

/** The text of a policy file; undefined where there is none. */
export async function readPolicyText(file: string): Promise<string | undefined> {
  let handle: FileHandle;
  try {
    // Without waiting for a writer, should it be a pipe.
    handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (thrown) {
    const error = fileError(thrown, "read the policy", file);
    if (error.code === "NotFound") return undefined;
    throw error;
  }
  try {
    const { mode, uid, size } = await handle.stat();
    if ((mode & constants.S_IFMT) === constants.S_IFDIR) {
      throw new CmdopError("IsADirectory", `The policy ${file} is a directory.`);
    }
    if ((mode & constants.S_IFMT) !== constants.S_IFREG) throw brokenPolicy(file, ["it is no regular file"]);
    checkWriters(file, mode, uid);
    if (size > MAX_POLICY_BYTES) {
      throw brokenPolicy(file, [`it has ${size} bytes; ${MAX_POLICY_BYTES} is the limit`]);
    }
    return (await handle.readFile()).toString("utf8");
  } finally {
    await handle.close();
  }
}

/** What tells one text from another. */
export function policyHash(text: string): string {
  return createHash("sha256").update(text).digest("base64url");
}

async function userOf({ user }: Policy, file: string): Promise<JobUser | undefined> {
  if (user === undefined) return undefined;
  try {
    return await findUser(user);
  } catch (thrown) {
    throw brokenPolicy(file, [`user: ${thrown instanceof Error ? thrown.message : String(thrown)}`], thrown);
  }
}

/** Whoever can write the policy decides; that is the agent's user, and root. */
function checkWriters(file: string, mode: number, uid: number): void {
  const own = process.geteuid?.();
  if (own !== undefined && uid !== own && uid !== 0) {
    throw new CmdopError(
      "AccessDenied",
      `The policy ${file} belongs to the user ${uid}, who could change it; the agent runs as ${own}.`,
      { next: `If what it says is right: chown ${own} ${file}.` },
    );
  }
  if ((mode & 0o022) === 0) return;
  throw new CmdopError(
    "AccessDenied",
    `The policy ${file} can be written by others (mode ${(mode & 0o777).toString(8)}).`,
    { next: `If what it says is right: chmod go-w ${file}.` },
  );
}
