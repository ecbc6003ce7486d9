import { type FSWatcher, watch } from "node:fs";
import { stat } from "node:fs/promises";
import path from "node:path";
import { pause } from "@cmdop/kit";
import { CmdopError } from "@cmdop/proto";
import { fileError } from "../files/place/errors.ts";
import type { JobRules } from "../jobs/jobs.ts";
import type { JobUser } from "../jobs/process/run-as.ts";
import type { Log } from "../log.ts";
import type { ShellRules } from "../login/line-shell.ts";
import { Logins } from "../login/logins.ts";
import type { Policy } from "./policy.ts";
import { type LoadedPolicy, loadPolicy } from "./policy-file.ts";
import { type Redact, redactor } from "./redact.ts";

/** Delay after the first sign of a change, in milliseconds: editors write in several steps. */
const SETTLE_MS = 50;

/** Interval of additional checks, in milliseconds: not every file system reports changes. */
const POLL_MS = 2_000;

/** Delay before a missing file counts as gone, in milliseconds: some programs delete before they write. */
const GONE_MS = 500;

/** A change of the policy, or a refused one. */
export interface PolicyChange {
  /** SHA-256 of the file that is in force, base64url; null where there is none. */
  readonly hash: string | null;
  /** The reason why the file's present content is not in force; absent if it is. */
  readonly error?: string;
}

/** Options of a live policy. */
export interface LivePolicyOptions {
  readonly file: string;
  readonly log: Log;
  /** Time after which a missing file counts as gone, in milliseconds. Default: GONE_MS. */
  readonly goneMs?: number;
}

/** The result of `look` if there is no file. */
const MISSING = "NotFound";

/** The policy in force, and everything derived from it. */
interface InForce extends LoadedPolicy {
  readonly logins: Logins;
  readonly redact: Redact;
}

/**
 * The policy in force. The file is read again when it changes. If the new one can't be used, it is refused
 * with an error in the log, and the last good one stays.
 */
export class LivePolicy {
  readonly #options: LivePolicyOptions;
  #inForce: InForce;
  #error: CmdopError | undefined;
  /** State of the file at its last reading, as returned by `look`. */
  #seen: string;
  #watcher: FSWatcher | undefined;
  #poll: NodeJS.Timeout | undefined;
  #settling: NodeJS.Timeout | undefined;
  #reading: Promise<void> = Promise.resolve();
  readonly #listeners = new Set<(change: PolicyChange) => void>();

  private constructor(options: LivePolicyOptions, seen: string, inForce: InForce) {
    this.#options = options;
    this.#seen = seen;
    this.#inForce = inForce;
  }

  /** Reads the policy and begins to watch it. A broken one throws: there is no last good one yet. */
  static async open(options: LivePolicyOptions): Promise<LivePolicy> {
    // The file is looked at before it is read, so that a change in between is noticed.
    const seen = await look(options.file);
    const live = new LivePolicy(options, seen, await completed(await loadPolicy(options.file), options.log));
    live.#watch();
    return live;
  }

  get policy(): Policy {
    return this.#inForce.policy;
  }

  /** SHA-256 of the file that is in force, base64url; null where there is none. */
  get hash(): string | null {
    return this.#inForce.hash;
  }

  /** The reason why the file is not in force; undefined if it is. */
  get error(): CmdopError | undefined {
    return this.#error;
  }

  /** The user that jobs run as; undefined for the agent's own. */
  get user(): JobUser | undefined {
    return this.#inForce.user;
  }

  /** The shells that jobs may use. */
  get shells(): ShellRules {
    return this.#inForce.logins.shells;
  }

  /** The name of the user that jobs run as. */
  get userName(): string {
    return this.#inForce.logins.account.name;
  }

  /** The rules for jobs. */
  get jobRules(): JobRules {
    const { user, policy, logins } = this.#inForce;
    return { user, login: () => logins.current(), ...policy.limits, ...policy.jobs };
  }

  /** The home of the user that jobs run as, for which `~` stands. */
  get home(): string {
    return this.#inForce.logins.home;
  }

  /** Replaces the texts that the audit must hide. */
  get redact(): Redact {
    return this.#inForce.redact;
  }

  /** Calls the listener whenever a new policy has come into force or was refused. */
  onChange(listener: (change: PolicyChange) => void): void {
    this.#listeners.add(listener);
  }

  /** Checks the file now; resolves when its content is in force or refused. */
  async check(): Promise<void> {
    const next = this.#reading.then(() => this.#read());
    this.#reading = next;
    await next;
  }

  async close(): Promise<void> {
    this.#watcher?.close();
    clearInterval(this.#poll);
    clearTimeout(this.#settling);
    await this.#reading;
  }

  #watch(): void {
    const { file, log } = this.#options;
    try {
      // Watches the directory, because a file that is replaced is a new file.
      this.#watcher = watch(path.dirname(file), { persistent: false }, (_, name) => {
        if (name !== null && name !== path.basename(file)) return;
        this.#settling ??= setTimeout(() => {
          this.#settling = undefined;
          this.#checkSoon();
        }, SETTLE_MS).unref();
      });
      this.#watcher.on("error", (error) =>
        log.warn("policy not watched", { error: error.message, everyMs: POLL_MS }),
      );
    } catch (error) {
      // For example, no watches are left. The poll finds changes, too.
      log.warn("policy not watched", { error: String(error), everyMs: POLL_MS });
    }
    this.#poll = setInterval(() => this.#checkSoon(), POLL_MS).unref();
  }

  #checkSoon(): void {
    this.check().catch((error) => this.#options.log.error("policy not read", { error: String(error) }));
  }

  async #read(): Promise<void> {
    const { file } = this.#options;
    let seen = await look(file);
    if (seen === this.#seen) return;
    if (seen === MISSING) {
      await pause(this.#options.goneMs ?? GONE_MS, { ref: false });
      seen = await look(file);
    }
    let loaded: InForce;
    try {
      loaded = await completed(await loadPolicy(file), this.#options.log);
    } catch (thrown) {
      this.#seen = seen;
      this.#refuse(CmdopError.from(thrown));
      return;
    }
    this.#seen = seen;
    const changed = loaded.hash !== this.#inForce.hash || this.#error !== undefined;
    this.#error = undefined;
    this.#inForce = loaded;
    if (changed) this.#accept(loaded);
  }

  #accept({ hash }: InForce): void {
    const { file, log } = this.#options;
    if (hash === null) {
      log.error("policy gone: everything that is granted is allowed now", { file });
    } else {
      log.info("policy in force", { file, hash });
    }
    this.#tell({ hash });
  }

  #refuse(error: CmdopError): void {
    const { log } = this.#options;
    // The same error again is not reported twice.
    if (this.#error?.message === error.message) return;
    this.#error = error;
    log.error("policy refused: the last good one stays in force", { error: error.message, next: error.next });
    this.#tell({ hash: this.#inForce.hash, error: error.message });
  }

  #tell(change: PolicyChange): void {
    for (const listener of this.#listeners) listener(change);
  }
}

async function completed(loaded: LoadedPolicy, log: Log): Promise<InForce> {
  const { user, policy } = loaded;
  const logins = await Logins.open({
    user,
    rules: policy.environment ?? {},
    allowedShells: policy.shells,
    // A problem does not keep the policy from its force: a machine that nobody can reach can't be repaired.
    onProblem: (problem) => log.error("what jobs begin with", { problem }),
  });
  return { ...loaded, logins, redact: redactor(policy.redact) };
}

/** Returns a text that changes whenever the file is written, replaced, or given other rights. */
async function look(file: string): Promise<string> {
  try {
    const { dev, ino, size, mode, uid, mtimeNs, ctimeNs } = await stat(file, { bigint: true });
    return [dev, ino, size, mode, uid, mtimeNs, ctimeNs].join(" ");
  } catch (thrown) {
    const error = fileError(thrown, "look at the policy", file);
    return error.code;
  }
}
