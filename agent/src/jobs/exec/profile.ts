import type { Readable } from "node:stream";
import { within } from "@cmdop/kit";
import { isVariable } from "../../login/environment-file.ts";
import type { Environment } from "../process/environment.ts";
import type { Refused } from "../process/fork.ts";
import { born } from "../process/job-trace.ts";
import { endProcesses } from "../process/process-group.ts";
import { type Process, spawnCommand } from "../process/spawn.ts";
import type { Lost } from "../process/spawner-child.ts";
import type { Exit } from "../process/spawner-messages.ts";
import type { JobContext } from "../work.ts";

/** How long a profile may take, in milliseconds: slow ones take some seconds, and a longer one asks somebody or hangs. */
const PROFILE_LIMIT_MS = 30_000;

/** The environment that a profile leaves, in bytes: more than the kernel gives a program beside its arguments. */
const MAX_ENVIRONMENT_BYTES = 1024 * 1024;

/** The end of what a profile has printed, in characters, where it must be told why it failed. */
const MAX_NOISE_CHARACTERS = 1_000;

/** The last variable: without it something is missing. */
const LAST = "CMDOP_PROFILE_END=";
const END = `${LAST}\0`;

/** What belongs to the shell that was asked, and not to what it leaves. */
const SHELLS_OWN = /^(?:PWD|OLDPWD|SHLVL|_|CMDOP_.*)$/;

/**
 * What the profile prints, on whatever channel, goes to standard error, and the environment to standard output, which it
 * can't reach by accident: meanwhile that is descriptor 0, since a bash closes 3 to 19 at a login. So there is nothing to
 * be read from it: who asks a question finds no answer. The profile begins at home, as after a login.
 */
const ASIDE = 'cd -- "$HOME" 2>/dev/null; exec "$@" 0>&1 1>&2';
const TELL = 'exec "$@" 1>&0';

/** What shells say of themselves where an interactive one has no terminal. */
const WITHOUT_TERMINAL =
  /^.*(?:cannot set terminal process group|no job control in this shell|job control turned off|find tty fd|won't have full job control).*\n?/gm;

/** Who reads the profile, and what with. */
export interface ProfileOptions {
  readonly shell: string;
  readonly environment: Environment;
  readonly trusted: Environment;
}

/**
 * The environment that an interactive login shell leaves when it has read its profile: in a process of its own, before
 * the command's, so that nothing of the profile's is mixed with what the command reads and writes. Never rejects.
 */
export async function readProfile(
  { shell, environment, trusted }: ProfileOptions,
  context: JobContext,
  signal: AbortSignal,
): Promise<{ readonly variables: Environment } | Refused | Lost> {
  // By env(1) itself: a shell in between would drop what another has exported, functions for one.
  const reader = [shell, "-i", "-l", "-c", TELL, "cmdop", "/usr/bin/env", "-0", LAST];
  const args = ["-c", ASIDE, "cmdop", ...reader];
  const input = { stdin: new Uint8Array(), stdinOpen: false };
  const start = { program: "/bin/sh", args, cwd: "/", env: environment, trusted, input };
  const process = await spawnCommand(start, context, signal);
  if (!("pid" in process)) return process;
  // What the profile starts is ended with it where it fails. By a trace of its own, since the job's is its command's.
  const trace = { ...context.trace };
  born(trace, process.pid, process.cgroup);
  const told = new Told(process.stdout);
  const noise = new Noise(process.stderr);
  try {
    const end = await within(endOf(process, told, context), PROFILE_LIMIT_MS, { signal });
    if (end === "whole") return { variables: variablesIn(told.text, context.user !== undefined) };
    await endProcesses(trace, context.limits);
    const why = signal.aborted ? "had not come to its end yet" : failure(end);
    return {
      failed: `It was not started: the profile that ${shell} reads at a login ${why}.${noise.said()}`,
    };
  } finally {
    process.stdout.destroy();
    process.stderr.destroy();
  }
}

/** How the reading of a profile came to its end. */
type ProfileEnd = "whole" | "too large" | Exit | Lost;

async function endOf(process: Process, told: Told, { limits }: JobContext): Promise<ProfileEnd> {
  const left = process.exit.then(async (exit) => (await within(told.end, limits.pipeQuietMs)) ?? exit);
  return Promise.race([told.end, left]);
}

function failure(end: ProfileEnd | undefined): string {
  if (end === undefined) return `had not come to its end after ${PROFILE_LIMIT_MS / 1000} s`;
  if (end === "too large") return `leaves an environment of more than ${MAX_ENVIRONMENT_BYTES} bytes`;
  if (end === "whole") return "was read";
  if ("lost" in end) return `was lost from sight: ${end.lost}`;
  const { code, signal } = end;
  const how = signal === null ? `with exit code ${code}` : `by ${signal}`;
  return `ended its shell ${how}, before the command. Correct it, or run without login`;
}

function variablesIn(text: string, onlyExportable: boolean): Environment {
  const variables = text.slice(0, -END.length).split("\0");
  return Object.fromEntries(
    variables.flatMap((variable) => {
      const at = variable.indexOf("=");
      const [name, value] = [variable.slice(0, at), variable.slice(at + 1)];
      const isLeft = at > 0 && !SHELLS_OWN.test(name) && (!onlyExportable || isVariable(name, value));
      return isLeft ? [[name, value] as const] : [];
    }),
  );
}

/** The environment on its way. */
class Told {
  /** Resolves when all of it is there, or too much; where it ends before, never. */
  readonly end: Promise<"whole" | "too large">;
  text = "";

  constructor(stream: Readable) {
    const { promise, resolve } = Promise.withResolvers<"whole" | "too large">();
    this.end = promise;
    stream.setEncoding("utf8");
    stream.on("data", (piece: string) => {
      this.text += piece;
      if (this.text.length > MAX_ENVIRONMENT_BYTES) resolve("too large");
      else if (this.text.endsWith(END)) resolve("whole");
    });
    stream.on("error", () => stream.destroy());
  }
}

/** The end of what a profile prints. */
class Noise {
  #text = "";

  constructor(stream: Readable) {
    stream.setEncoding("utf8");
    stream.on("data", (piece: string) => {
      this.#text = (this.#text + piece).slice(-MAX_NOISE_CHARACTERS);
    });
    stream.on("error", () => stream.destroy());
  }

  /** As a sentence of its own. */
  said(): string {
    const text = this.#text.replace(WITHOUT_TERMINAL, "").trim();
    return text === "" ? "" : ` What it printed last: ${text}`;
  }
}
