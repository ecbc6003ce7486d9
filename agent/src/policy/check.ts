import { stat } from "node:fs/promises";
import { isErrno, userName } from "@cmdop/kit";
import { agentStateDir, CmdopError, SCOPES } from "@cmdop/proto";
import type { JobUser } from "../jobs/process/run-as.ts";
import { parseEnvironmentFile } from "../login/environment-file.ts";
import { textOf } from "../login/logins.ts";
import { withoutWithheld } from "../login/withheld.ts";
import { askedBy } from "./ask.ts";
import { STARTING_METHODS } from "./authorize.ts";
import { groupsOf } from "./job-user.ts";
import { DEFAULT_ASK_TIMEOUT_MS, type Policy, withheldBy } from "./policy.ts";
import { type LoadedPolicy, loadPolicy, policyFile } from "./policy-file.ts";

/** A description of a policy file, for people. */
export interface PolicyReport {
  readonly file: string;
  /** True if the file exists. Without it, everything that is granted is allowed. */
  readonly found: boolean;
  /** The reason why the agent would refuse the file; absent if it can be used. */
  readonly error?: string;
  /** The rules in words, one a line; empty if the file can't be used. */
  readonly lines: readonly string[];
  /**
   * True if the policy also limits callers that have `terminal`, or `files:write` everywhere, which is as
   * good.
   */
  readonly bindsTerminal: boolean;
  /** The reason for `bindsTerminal`. */
  readonly why: string;
}

/** Groups whose members can become root, or have equal power. */
const MIGHTY_GROUPS: ReadonlySet<string> = new Set([
  "root",
  "sudo",
  "wheel",
  "admin",
  "docker",
  "podman",
  "lxd",
  "incus",
  "libvirt",
  "disk",
  "shadow",
]);

/**
 * Reads and checks a machine's policy file, as the agent would. `home`: CMDOP_HOME. Must run as the user that
 * the agent runs as.
 */
export async function checkPolicy({ home }: { readonly home: string }): Promise<PolicyReport> {
  const file = policyFile(home);
  let loaded: LoadedPolicy;
  try {
    loaded = await loadPolicy(file);
  } catch (thrown) {
    const error = CmdopError.from(thrown);
    return {
      file,
      found: true,
      error: `${error.message} ${error.next}`,
      lines: [],
      bindsTerminal: false,
      why: "A policy that can't be used binds nobody: a running agent keeps the last good one, and no agent starts with this one.",
    };
  }
  const { policy, user, hash } = loaded;
  return {
    file,
    found: hash !== null,
    lines: [...summary(policy, user), ...(await environmentLines(policy))],
    ...(await binding(policy, user, home)),
  };
}

/**
 * True if callers may write anywhere: then they can run commands, too, through files that are run at a start.
 */
function writesAnywhere(policy: Policy): boolean {
  return policy.roots === undefined && withheldBy(policy, "files:write") === undefined;
}

async function binding(
  policy: Policy,
  user: JobUser | undefined,
  home: string,
): Promise<Pick<PolicyReport, "bindsTerminal" | "why">> {
  const withheld = withheldBy(policy, "terminal");
  if (withheld !== undefined && !writesAnywhere(policy)) {
    return { bindsTerminal: true, why: `Nobody gets "terminal" on this machine (${withheld}).` };
  }
  const whoever =
    withheld === undefined
      ? 'whoever has "terminal"'
      : `nobody gets "terminal" (${withheld}), but whoever has "files:write" without paths can have commands run all the same, and so`;
  if (user === undefined) {
    const agent = await agentUser(home);
    return {
      bindsTerminal: false,
      why: `Jobs run as ${agent}, the user of the agent: ${whoever} can edit this policy, and read the agent's state and key, and the key of its model (model.json, or the environment that the agent was started with). Let the agent run as root and name another user in "user", or withhold "terminal", and withhold "files:write" or bind it with roots.`,
    };
  }
  if (user.uid === 0) {
    return {
      bindsTerminal: false,
      why: `Jobs run as ${user.name}, which is root: ${whoever} can edit this policy and read the agent's state and key.`,
    };
  }
  const mighty = (await groupsOf(user.name)).filter((group) => MIGHTY_GROUPS.has(group));
  if (mighty.length > 0) {
    return {
      bindsTerminal: false,
      why: `Jobs run as ${user.name}, who is in ${mighty.join(", ")}: that is a way to become root, and root can edit this policy.`,
    };
  }
  return {
    bindsTerminal: true,
    why: `Jobs and files calls run as ${user.name}, who can't write this policy nor read the agent's state. (Unless sudo or another program of this machine makes ${user.name} root: that can't be seen here.)`,
  };
}

/** Returns the owner of the agent's state; if there is none yet, the current user. */
async function agentUser(home: string): Promise<string> {
  try {
    const owner = (await stat(agentStateDir(home))).uid;
    return owner === process.geteuid?.() ? userName() : `user ${owner}`;
  } catch (thrown) {
    if (isErrno(thrown, "ENOENT")) return userName();
    throw thrown;
  }
}

function summary(policy: Policy, user: JobUser | undefined): string[] {
  const { roots, shells, ask, limits, jobs, redact, local } = policy;
  const lines: string[] = [];
  lines.push(
    `Callers may have at most: ${listed(SCOPES.filter((scope) => withheldBy(policy, scope) === undefined))}.`,
  );
  if (policy.readOnly === true) lines.push("Nothing can be changed (readOnly).");
  if (local !== undefined) {
    const left = SCOPES.filter((scope) => withheldBy(policy, scope, true) === undefined);
    lines.push(`Callers of the local socket without a token may have at most: ${listed(left)}.`);
  }
  if (roots !== undefined) lines.push(`Files calls are bound to ${listed(roots)} (roots).`);
  if (writesAnywhere(policy)) {
    lines.push(
      "A key with files:write and without paths has the full authority of the user that files calls run as: it can write ~/.bashrc, ~/.ssh/authorized_keys, cron and the like. Bind it with roots here, or with paths in its grant.",
    );
  }
  if (shells !== undefined) {
    lines.push(
      `Callers may start ${listed(shells)} only (shells): sessions, programs, and lines by the user's own shell where it is listed, else by /bin/sh where that is; with no variables but those of language, time zone and terminal.`,
      "What such a program starts in turn is not bound: with a shell among them, anything can be run.",
    );
  }
  if (user !== undefined) {
    lines.push(
      `Commands, sessions and files calls run as ${user.name} (uid ${user.uid}), with that user's groups.`,
    );
  }
  if (ask !== undefined && ask.length > 0) {
    const seconds = (policy.askTimeoutMs ?? DEFAULT_ASK_TIMEOUT_MS) / 1000;
    lines.push(`A person with the scope approve must say yes, within ${seconds} s, to ${listed(ask)}.`);
    const unasked = [...STARTING_METHODS].filter((method) => askedBy(ask, method) === undefined);
    if (unasked.length > 0 && withheldBy(policy, "terminal") === undefined)
      lines.push(
        `Nobody is asked about ${listed(unasked)}, which can do all that jobs can, writing files included.`,
      );
  }
  if (limits?.maxRunningJobs !== undefined) lines.push(`At most ${limits.maxRunningJobs} jobs run at once.`);
  if (limits?.maxSessions !== undefined) lines.push(`At most ${limits.maxSessions} sessions run at once.`);
  if (limits?.maxJobMs !== undefined) lines.push(`A job is ended after ${limits.maxJobMs / 1000} s.`);
  if (jobs !== undefined) {
    const { outputKeptMs, outcomeKeptMs } = jobs;
    lines.push(
      `Output of ended jobs is kept ${outputKeptMs / 1000} s, their outcome ${outcomeKeptMs / 1000} s more.`,
    );
  }
  if (redact !== undefined && redact.length > 0) {
    lines.push(`The audit hides what follows ${listed(redact.map((text) => JSON.stringify(text)))}.`);
  }
  return lines;
}

/** Describes the rules for the environment, without any values. */
async function environmentLines({ environment = {} }: Policy): Promise<string[]> {
  const { pass = [], set = {}, files = [], login } = environment;
  const lines: string[] = [];
  if (pass.length > 0)
    lines.push(`Jobs get of the agent's own environment: ${listed(pass)} (environment.pass).`);
  for (const file of files) {
    const names = await textOf(file).then(
      (text) => `names ${listed(Object.keys(withoutWithheld(parseEnvironmentFile(text))))}`,
      (thrown: unknown) => `can't be used now: ${thrown instanceof Error ? thrown.message : String(thrown)}`,
    );
    lines.push(`The file ${file}, which is read for jobs (environment.files), ${names}.`);
  }
  const names = Object.keys(set);
  if (names.length > 0) lines.push(`Jobs find set: ${listed(names)} (environment.set).`);
  if (login === true) lines.push("Commands read the user's profile first (environment.login).");
  return lines;
}

function listed(items: readonly string[]): string {
  return items.length === 0 ? "nothing" : items.join(", ");
}
