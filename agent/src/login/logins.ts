import { statSync } from "node:fs";
import { errnoOf, unlessSync, within } from "@cmdop/kit";
import { baseEnvironment } from "../jobs/process/environment.ts";
import { environmentOf, type JobUser } from "../jobs/process/run-as.ts";
import { parseEnvironmentFile } from "./environment-file.ts";
import { type EnvironmentRules, passed } from "./environment-rules.ts";
import { lineShellOf, type ShellRules } from "./line-shell.ts";
import type { Login } from "./login.ts";
import { type Account, accountOfEnvironment, lookUpAccount, ownAccount } from "./passwd.ts";
import {
  MAX_ENVIRONMENT_FILE_BYTES,
  runtimeEnvironment,
  SYSTEM_FILES,
  systemEnvironment,
} from "./system-environment.ts";
import { outputOf, reasonOf } from "./system-programs.ts";
import { withoutWithheld } from "./withheld.ts";

/** Age at which data on a directory service's user, or a home, is refreshed, in milliseconds. */
const MAX_AGE_MS = 60_000;

/** The same for files that the policy names, in milliseconds: as often as the policy itself is checked. */
const MAX_FILE_AGE_MS = 2_000;

/**
 * Longest wait of a job's start for a refresh, in milliseconds. A longer one hangs, and the present data will
 * do.
 */
const WAIT_MS = 1_000;

/** The same for the agent's own start, in milliseconds, when there are no data yet. */
const FIRST_WAIT_MS = 5_000;

/** Time limit for one look at a file system, in milliseconds: if it takes longer, the mount is dead. */
const LOOK_MS = 2_000;

/**
 * Files that are checked for changes at each job start. They are on the system's disk, so the check does not
 * block.
 */
const WATCHED = ["/etc/passwd", ...Object.values(SYSTEM_FILES)];

/** The user of the logins, and the policy's rules for them. */
export interface LoginsOptions {
  /** The user that jobs run as; undefined for the agent's own. */
  readonly user: JobUser | undefined;
  readonly rules: EnvironmentRules;
  readonly allowedShells: readonly string[] | undefined;
  /** The agent's own environment. */
  readonly own?: NodeJS.ProcessEnv;
  /** Called with each problem of a lookup or a file, once until another problem takes its place. */
  readonly onProblem: (problem: string) => void;
}

/** The data found so far. */
interface Found {
  readonly account: Account;
  readonly home: string;
  /** True if the shell exists and is executable. */
  readonly isShellUsable: boolean;
  readonly system: Readonly<Record<string, string>>;
  readonly files: Readonly<Record<string, string>>;
}

/**
 * Logins of the jobs' user, kept up to date: users change their shells, and machines their settings. Lookups
 * that may hang (a directory service, a home or a file on a dead mount) run in a process of their own, one at
 * a time, and are never awaited without a limit.
 */
export class Logins {
  readonly #options: LoginsOptions;
  readonly #own: NodeJS.ProcessEnv;
  #found: Found;
  #problems: readonly string[] = [];
  #seen = "";
  #readAtMs = 0;
  #reading: Promise<void> | undefined;
  #hangs = false;

  private constructor(options: LoginsOptions) {
    const { user, own = process.env } = options;
    this.#options = options;
    this.#own = own;
    const account = user ?? accountOfEnvironment(own, process.geteuid?.() ?? -1, process.getegid?.() ?? -1);
    this.#found = { account, home: account.home, isShellUsable: true, system: {}, files: {} };
  }

  /** Looks everything up. A source that does not answer is treated as absent, and is asked again later. */
  static async open(options: LoginsOptions): Promise<Logins> {
    const logins = new Logins(options);
    await logins.#news(FIRST_WAIT_MS);
    return logins;
  }

  /** The user, as far as known now. */
  get account(): Account {
    return this.#found.account;
  }

  /** The real path of the user's home, as far as known now. */
  get home(): string {
    return this.#found.home;
  }

  /** The shells, as far as known now. */
  get shells(): ShellRules {
    const { rules, allowedShells } = this.#options;
    const { account, isShellUsable } = this.#found;
    return {
      shell: account.shell,
      lineShell: lineShellOf(account.shell, isShellUsable, allowedShells),
      allowedShells,
      readsProfile: rules.login === true,
    };
  }

  /** Returns the present login. Data that may be old are refreshed first, with up to two waits of WAIT_MS. */
  async current(): Promise<Login> {
    // A second look is needed if something changed during a refresh that another call had started.
    for (let look = 0; look < 2 && this.#isStale(); look += 1) await this.#news(WAIT_MS);
    return this.#login();
  }

  #login(): Login {
    const { user, rules } = this.#options;
    const { account, system, files } = this.#found;
    const trusted = environmentOf(user && { ...user, ...account }, baseEnvironment(this.#own, account));
    const environment = {
      ...trusted,
      ...system,
      ...runtimeEnvironment(account.uid),
      ...passed(rules, this.#own),
      ...files,
      ...rules.set,
    };
    return { ...this.shells, environment, trusted };
  }

  #isStale(): boolean {
    const hasFiles = (this.#options.rules.files ?? []).length > 0;
    const ageMs = performance.now() - this.#readAtMs;
    return ageMs > (hasFiles ? MAX_FILE_AGE_MS : MAX_AGE_MS) || this.#seen !== watched();
  }

  /** Refreshes everything, unless a refresh is running already. */
  async #news(waitMs: number): Promise<void> {
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined;
      this.#hangs = false;
    });
    const done = this.#reading.then(() => true);
    // A refresh that hangs is waited for once only.
    if (!this.#hangs && (await within(done, waitMs)) === undefined) this.#hangs = true;
  }

  async #read(): Promise<void> {
    this.#seen = watched();
    this.#readAtMs = performance.now();
    const problems: string[] = [];
    await this.#try(problems, async () => ({ account: await this.#account() }));
    const { account } = this.#found;
    await this.#try(problems, async () => ({ system: await systemEnvironment(account) }));
    await this.#try(problems, async () => ({ isShellUsable: await isUsable(account.shell) }));
    let files: Record<string, string> = {};
    for (const file of this.#options.rules.files ?? []) {
      await this.#try(problems, async () => {
        files = { ...files, ...withoutWithheld(parseEnvironmentFile(await textOf(file))) };
        return {};
      });
    }
    this.#found = { ...this.#found, files };
    // The home comes last, because homes may be on a mount that hangs.
    await this.#try(problems, async () => ({ home: await realHome(account.home) }));
    for (const problem of problems) if (!this.#problems.includes(problem)) this.#options.onProblem(problem);
    this.#problems = problems;
  }

  async #account(): Promise<Account> {
    const { user } = this.#options;
    if (user === undefined) return ownAccount(this.#own);
    const { shell = user.shell, home = user.home } = (await lookUpAccount(user.name)) ?? {};
    // The policy names the user, so its id stays: a new user of the same name is another one.
    return { ...user, shell, home };
  }

  /** Merges the result of a lookup. If it fails, the old data stay. */
  async #try(problems: string[], find: () => Promise<Partial<Found>>): Promise<void> {
    try {
      const found = await find();
      this.#found = { ...this.#found, ...found };
    } catch (thrown) {
      problems.push(reasonOf(thrown));
    }
  }
}

/** Returns a text that changes whenever one of the watched files does. */
function watched(): string {
  return WATCHED.map((file) => {
    const stat = unlessSync(["EACCES", "ELOOP"], () =>
      statSync(file, { bigint: true, throwIfNoEntry: false }),
    );
    return stat === undefined ? "-" : `${stat.ino}:${stat.size}:${stat.mtimeNs}:${stat.ctimeNs}`;
  }).join(" ");
}

/** Returns true if a shell exists and is executable. @throws Error if its file system does not answer */
async function isUsable(shell: string): Promise<boolean> {
  const script = 'if [ -f "$1" ] && [ -x "$1" ]; then echo yes; else echo no; fi';
  return (await looked(script, shell)) === "yes\n";
}

/**
 * Returns the real path of a home: confined paths follow no links, so `~` must stand for the real directory.
 * A home that does not exist is returned as it is, and fails when it is used.
 * @throws Error if its file system does not answer
 */
async function realHome(home: string): Promise<string> {
  const script = 'readlink -f -- "$1" || printf "%s\\n" "$1"';
  return (await looked(script, home)).replace(/\n$/, "");
}

/** Returns the output of a script about a path. @throws Error if its file system does not answer */
async function looked(script: string, path: string): Promise<string> {
  try {
    return await outputOf("/bin/sh", ["-c", script, "cmdop", path], { timeoutMs: LOOK_MS });
  } catch (thrown) {
    throw new Error(`${path} can't be looked at: ${whyNot(thrown)}`, { cause: thrown });
  }
}

/** Reads a file that a policy names. @throws Error that says why it can't be read */
export async function textOf(file: string): Promise<string> {
  try {
    const bounds = { timeoutMs: LOOK_MS, maxBytes: MAX_ENVIRONMENT_FILE_BYTES };
    return await outputOf("/bin/cat", ["--", file], bounds);
  } catch (thrown) {
    throw new Error(`environment.files: ${file} can't be read: ${whyNot(thrown)}`, { cause: thrown });
  }
}

function whyNot(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown);
  if ("code" in thrown && thrown.code === "ERR_CHILD_PROCESS_STDIO_MAXBUFFER") {
    return `it has more than ${MAX_ENVIRONMENT_FILE_BYTES} bytes`;
  }
  if ("killed" in thrown && thrown.killed === true)
    return `its file system did not answer within ${LOOK_MS} ms`;
  const said = "stderr" in thrown ? String(thrown.stderr).trim() : "";
  return said || errnoOf(thrown) || reasonOf(thrown);
}
