import { CmdopError } from "@cmdop/proto";
import { workingDirectory } from "../exec/command.ts";
import { type InputPiece, JobInput } from "../input.ts";
import { JOB_ID_VARIABLE } from "../process/environment.ts";
import { endSession, signalForeground } from "../process/process-group.ts";
import { runAs } from "../process/run-as.ts";
import type { Lost } from "../process/spawner.ts";
import { anyFailure, programFailure, startFailure } from "../process/start-failure.ts";
import {
  notBegun,
  type Program,
  type Refused,
  type Started,
  startProcess,
} from "../process/start-process.ts";
import { supervise } from "../process/supervise.ts";
import { watchTime } from "../time-limit.ts";
import { within } from "../within.ts";
import type { JobContext, Work } from "../work.ts";
import { IdleLimit } from "./idle-limit.ts";
import { Keyboard } from "./keyboard.ts";
import { Pty } from "./pty.ts";
import { programOf, type SessionRequest } from "./request.ts";
import { SessionTerminal } from "./terminal.ts";

/** What a terminal can do, for programs that ask; a request may say otherwise. */
const TERMINAL_ENVIRONMENT = { TERM: "xterm-256color", COLORTERM: "truecolor" } as const;

/**
 * Makes the terminal ($0) that of its session, which takes no more than opening
 * it, and becomes the shell ("$@"). Without iutf8 a backspace would take a byte
 * rather than a character; where there is no stty, it does.
 */
const TAKE_TERMINAL = 'exec 0<>"$0" 1>&0 2>&0; stty iutf8 2>/dev/null; exec "$@"';

interface Session extends Started {
  readonly pty: Pty;
  readonly input: JobInput;
}

/** Runs a shell on a terminal of its own. Its output never waits for anybody: the journal drops the oldest. */
export function runSession(request: SessionRequest, context: JobContext): Work {
  const { jobId, keyId, journal, environment, user, limits } = context;
  const env = { ...environment, ...TERMINAL_ENVIRONMENT, ...request.env, [JOB_ID_VARIABLE]: jobId };
  const cwd = workingDirectory(request.cwd, environment.HOME ?? "/");
  const shell = programOf(request, environment);
  const idle = new IdleLimit(request.idleTimeoutMs, journal);
  let pty: Pty | undefined;
  const terminal = new SessionTerminal(journal, keyId, request.size, {
    resize: (size) => pty?.resize(size),
    asked: () => idle.used(),
  });

  const start = async (): Promise<Session | Refused | Lost> => {
    const look = user === undefined ? programFailure : anyFailure;
    const failure = await within(limits.startWaitMs, look(shell[0], cwd, env));
    if (failure === undefined) return notBegun(limits.startWaitMs);
    if (failure !== null) return { failed: failure };
    let opened: Pty;
    try {
      opened = new Pty(terminal.size, (bytes) => journal.append("stdout", bytes));
    } catch (error) {
      return { failed: error };
    }
    const args = ["-c", TAKE_TERMINAL, opened.path, ...shell];
    let program: Program = { program: "/bin/sh", args, cwd, env };
    try {
      if (user !== undefined) {
        program = runAs(user, program, environment);
        opened.giveTo(user.uid);
      }
    } catch (error) {
      opened.close();
      return { failed: error };
    }
    const started = await startProcess(program, ["ignore", "ignore", "ignore"], context);
    if (!("pid" in started)) {
      opened.close();
      return started;
    }
    pty = opened;
    // It may have been resized while it was started.
    opened.resize(terminal.size);
    const keyboard = new Keyboard((bytes) => {
      const taken = opened.type(bytes);
      if (taken > 0) idle.used();
      return taken;
    });
    return { ...started, pty: opened, input: new KeyboardInput(keyboard, limits.maxInputWriters) };
  };

  const { process, ...work } = supervise(
    {
      start,
      explain: (failed) => startFailure(failed, shell[0], cwd, env),
      watch: (stop) => {
        const ends = [idle.watch(stop), watchTime(0, context.maxJobMs, stop)];
        return () => {
          for (const end of ends) end();
        };
      },
      signal: ({ pid }, name) => signalForeground(pid, name),
      end: (session) => endSession(session?.pid, jobId, limits),
      finish: async (session) => {
        session.input.close();
        await session.pty.drain(limits);
        session.pty.close();
      },
    },
    limits,
  );
  return {
    ...work,
    input: process.then((session) => session?.input),
    terminal,
    outcome: work.outcome.finally(() => terminal.end()),
  };
}

/** A keyboard has no end: many may type on it, and a program that reads to an end waits for Ctrl-D. */
class KeyboardInput extends JobInput {
  constructor(keyboard: Keyboard, maxWriters: number) {
    super(keyboard, { first: new Uint8Array(), open: true, maxWriters });
  }

  /** As JobInput.take, but for the end. @throws CmdopError InvalidArgument */
  override async take(piece: InputPiece, signal?: AbortSignal): Promise<bigint> {
    if (!piece.eof) return super.take(piece, signal);
    throw new CmdopError("InvalidArgument", "A session's input has no end.", {
      next: "Type Ctrl-D (the byte 4) where a program waits for one, or close the session.",
    });
  }
}
