import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import path from "node:path";
import { agentStateDir, CmdopError } from "@cmdop/proto";
import { fileError } from "../files/place/errors.ts";
import type { JobUser } from "../jobs/process/run-as.ts";
import { findUser } from "./job-user.ts";
import { brokenPolicy, type Policy, parsePolicy } from "./policy.ts";

/** Largest policy file, in bytes: a policy is a few lines, and a larger file is something else. */
const MAX_POLICY_BYTES = 64 * 1024;

/** A policy that was read from its file. */
export interface LoadedPolicy {
  readonly policy: Policy;
  /** SHA-256 of the file, base64url; null if there is no file. */
  readonly hash: string | null;
  /** The user that jobs run as; undefined for the agent's own. */
  readonly user: JobUser | undefined;
}

/** Returns the path of a machine's policy. `home`: CMDOP_HOME. */
export function policyFile(home: string): string {
  return path.join(agentStateDir(home), "policy.json");
}

/**
 * Reads a policy file and looks up the user that it names. Without a file, everything that is granted is
 * allowed.
 * @throws CmdopError InvalidArgument that says where and why, AccessDenied if others could have written it
 */
export async function loadPolicy(file: string): Promise<LoadedPolicy> {
  const text = await readPolicyText(file);
  if (text === undefined) return { policy: {}, hash: null, user: undefined };
  const policy = parsePolicy(text, file);
  return { policy, hash: policyHash(text), user: await userOf(policy, file) };
}

/** Reads the text of a policy file; undefined if there is none. */
export async function readPolicyText(file: string): Promise<string | undefined> {
  let handle: FileHandle;
  try {
    // O_NONBLOCK: if the file is a pipe, do not wait for a writer.
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
    if ((mode & constants.S_IFMT) !== constants.S_IFREG)
      throw brokenPolicy(file, ["it is not a regular file"]);
    checkWriters(file, mode, uid);
    if (size > MAX_POLICY_BYTES) {
      throw brokenPolicy(file, [`it has ${size} bytes; ${MAX_POLICY_BYTES} is the limit`]);
    }
    return (await handle.readFile()).toString("utf8");
  } finally {
    await handle.close();
  }
}

/** Returns the hash by which policy texts are told apart. */
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

/**
 * Refuses a policy that anyone but the agent's user and root can write: whoever can write it makes the rules.
 */
function checkWriters(file: string, mode: number, uid: number): void {
  const own = process.geteuid?.();
  if (own !== undefined && uid !== own && uid !== 0) {
    throw new CmdopError(
      "AccessDenied",
      `The policy ${file} belongs to the user ${uid}, who could change it; the agent runs as ${own}.`,
      { next: `If its content is right: chown ${own} ${file}.` },
    );
  }
  if ((mode & 0o022) === 0) return;
  throw new CmdopError(
    "AccessDenied",
    `The policy ${file} can be written by others (mode ${(mode & 0o777).toString(8)}).`,
    { next: `If its content is right: chmod go-w ${file}.` },
  );
}
