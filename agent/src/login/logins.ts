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

/** What is known of a directory service's user, and of a home, is asked for anew after this time, in milliseconds. */
const MAX_AGE_MS = 60_000;

/** The same for files that the policy names, in milliseconds: as often as the policy itself. */
const MAX_FILE_AGE_MS = 2_000;

/** How long a job's start waits for news, in milliseconds: what takes longer hangs, and what is known already will do. */
const WAIT_MS = 1_000;

/** The same for the agent's own start, in milliseconds, before which nothing is known. */
const FIRST_WAIT_MS = 5_000;

/** How long one look at a file system may take, in milliseconds: its mount is dead then. */
const LOOK_MS = 2_000;

/** Files whose change is looked for at each start: of the system, so that a look does not wait for anybody. */
const WATCHED = ["/etc/passwd", ...Object.values(SYSTEM_FILES)];

/** Whose logins they are, and what the policy says of them. */
export interface LoginsOptions {
  /** The user that jobs run as, where it is not the agent's own. */
  readonly user: JobUser | undefined;
  readonly rules: EnvironmentRules;
  readonly allowedShells: readonly string[] | undefined;
  /** The agent's own environment. */
  readonly own?: NodeJS.ProcessEnv;
  /** Told of what can't be found out, or read, and why: once, until it is another trouble. */
  readonly onProblem: (problem: string) => void;
}

/** What was found out, piece by piece. */
interface Found {
  readonly account: Account;
  readonly home: string;
  /** Whether the shell exists and may be executed. */
  readonly isShellUsable: boolean;
  readonly system: Readonly<Record<string, string>>;
  readonly files: Readonly<Record<string, string>>;
}

/**
 * What a login of the jobs' user gives, kept up to date: users change their shells, and machines their settings. What
 * may hang (a directory service, a home or a file on a dead mount) is looked at by a process of its own, one at a time,
 * and never waited for without a limit.
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

  /** Looks at everything; what does not answer is as if it were not there, and is asked again later. */
  static async open(options: LoginsOptions): Promise<Logins> {
    const logins = new Logins(options);
    await logins.#news(FIRST_WAIT_MS);
    return logins;
  }

  /** Who the user is, as far as is known now. */
  get account(): Account {
    return this.#found.account;
  }

  /** The user's home as it really lies, as far as is known now. */
  get home(): string {
    return this.#found.home;
  }

  /** Which shells there are, as far as is known now. */
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

  /** The same as it is now: what may have changed is looked at first, for a second at most. */
  async current(): Promise<Login> {
    // Twice where something has changed while another was waiting.
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

  /** Looks at everything anew, unless that is being done already. */
  async #news(waitMs: number): Promise<void> {
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined;
      this.#hangs = false;
    });
    const done = this.#reading.then(() => true);
    // What hangs keeps nobody waiting twice.
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
    // Last, since homes are what lies on mounts.
    await this.#try(problems, async () => ({ home: await realHome(account.home) }));
    for (const problem of problems) if (!this.#problems.includes(problem)) this.#options.onProblem(problem);
    this.#problems = problems;
  }

  async #account(): Promise<Account> {
    const { user } = this.#options;
    if (user === undefined) return ownAccount(this.#own);
    const { shell = user.shell, home = user.home } = (await lookUpAccount(user.name)) ?? {};
    // Who it is, is the policy's word: another user of that name is none.
    return { ...user, shell, home };
  }

  /** Takes what was found out; what fails stays as it was. */
  async #try(problems: string[], find: () => Promise<Partial<Found>>): Promise<void> {
    try {
      const found = await find();
      this.#found = { ...this.#found, ...found };
    } catch (thrown) {
      problems.push(reasonOf(thrown));
    }
  }
}

/** What changes whenever one of the watched files does. */
function watched(): string {
  return WATCHED.map((file) => {
    const stat = unlessSync(["EACCES", "ELOOP"], () =>
      statSync(file, { bigint: true, throwIfNoEntry: false }),
    );
    return stat === undefined ? "-" : `${stat.ino}:${stat.size}:${stat.mtimeNs}:${stat.ctimeNs}`;
  }).join(" ");
}

/** Whether a shell exists and may be executed. @throws Error where its file system does not answer */
async function isUsable(shell: string): Promise<boolean> {
  const script = 'if [ -f "$1" ] && [ -x "$1" ]; then echo yes; else echo no; fi';
  return (await looked(script, shell)) === "yes\n";
}

/**
 * A home as it really lies: confined paths follow no links, so `~` must stand for the real directory. One that does not
 * exist leads nowhere, and says so when it is used. @throws Error where its file system does not answer
 */
async function realHome(home: string): Promise<string> {
  const script = 'readlink -f -- "$1" || printf "%s\\n" "$1"';
  return (await looked(script, home)).replace(/\n$/, "");
}

/** What a script prints of a path. @throws Error where its file system does not answer */
async function looked(script: string, path: string): Promise<string> {
  try {
    return await outputOf("/bin/sh", ["-c", script, "cmdop", path], { timeoutMs: LOOK_MS });
  } catch (thrown) {
    throw new Error(`${path} can't be looked at: ${whyNot(thrown)}`, { cause: thrown });
  }
}

/** The text of a file that a policy names. @throws Error that says why it can't be read */
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
