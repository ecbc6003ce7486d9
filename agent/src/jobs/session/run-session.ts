import { CmdopError } from "@cmdop/proto";
import { workingDirectory } from "../exec/command.ts";
import { type InputPiece, JobInput } from "../input.ts";
import { JOB_MARK_VARIABLE } from "../process/environment.ts";
import type { Forked, Refused } from "../process/fork.ts";
import { endSession, signalForeground } from "../process/process-group.ts";
import type { Lost } from "../process/spawner-child.ts";
import { type Prepared, startProcess } from "../process/start-process.ts";
import { supervise } from "../process/supervise.ts";
import { watchTime } from "../time-limit.ts";
import type { JobContext, Work } from "../work.ts";
import { IdleLimit } from "./idle-limit.ts";
import { Keyboard } from "./keyboard.ts";
import { Pty } from "./pty.ts";
import { programOf, type SessionRequest } from "./request.ts";
import { SessionTerminal } from "./terminal.ts";

/** What a terminal can do, for programs that ask; a request may say otherwise. */
const TERMINAL_ENVIRONMENT = { TERM: "xterm-256color", COLORTERM: "truecolor" } as const;

interface Session extends Forked {
  readonly pty: Pty;
  readonly input: JobInput;
}

/** Runs a shell on a terminal of its own. Its output never waits for anybody: the journal drops the oldest. */
export function runSession(request: SessionRequest, context: JobContext): Work {
  const { trace, keyId, journal, user, limits } = context;
  const idle = new IdleLimit(request.idleTimeoutMs, journal);
  let pty: Pty | undefined;
  const terminal = new SessionTerminal(journal, keyId, request.size, {
    resize: (size) => pty?.resize(size),
    asked: () => idle.used(),
  });

  const prepare = async (): Promise<Prepared & { opened: Pty }> => {
    const { environment, trusted, shell } = await context.login();
    const env = { ...environment, ...TERMINAL_ENVIRONMENT, ...request.env, [JOB_MARK_VARIABLE]: trace.mark };
    const cwd = workingDirectory(request.cwd, environment.HOME ?? "/");
    const [program, ...args] = programOf(request, shell);
    const opened = new Pty(terminal.size, (bytes) => journal.append("stdout", bytes));
    try {
      if (user !== undefined) opened.giveTo(user.uid);
    } catch (error) {
      opened.close();
      throw error;
    }
    return {
      launch: { program, args, cwd, env, user, trusted, terminal: opened.path },
      stdio: ["ignore", "ignore", "ignore"],
      close: () => undefined,
      drop: () => opened.close(),
      opened,
    };
  };

  const start = async (signal: AbortSignal): Promise<Session | Refused | Lost> => {
    const started = await startProcess(prepare, context, signal);
    if (!("pid" in started)) return started;
    context.onBorn(started);
    const { opened } = started.prepared;
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
      watch: (stop) => {
        const ends = [idle.watch(stop), watchTime(0, context.maxJobMs, stop)];
        return () => {
          for (const end of ends) end();
        };
      },
      signal: ({ pid }, name) => signalForeground(pid, name),
      end: () => endSession(trace, limits),
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
