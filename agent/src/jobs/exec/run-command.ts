import { isStandardShell } from "../../login/line-shell.ts";
import { JobInput } from "../input.ts";
import { endProcesses, signalGroup } from "../process/process-group.ts";
import { spawnCommand } from "../process/spawn.ts";
import { supervise } from "../process/supervise.ts";
import { watchTime } from "../time-limit.ts";
import type { JobContext, Work } from "../work.ts";
import { type Beginning, beginningOf } from "./beginning.ts";
import type { Command } from "./command.ts";
import { Output } from "./output.ts";

/** Runs a command on pipes in its own process group; its start has been asked for when this returns. */
export function runCommand(command: Command, context: JobContext): Work {
  const { trace, keyId, journal, heldPipes, limits } = context;
  const beginning = Promise.withResolvers<Beginning | undefined>();

  const start = async (signal: AbortSignal) => {
    const begun = await beginningOf(command, context, signal);
    beginning.resolve("program" in begun ? begun : undefined);
    if (!("program" in begun)) return begun;
    const spawned = await spawnCommand({ ...begun, input: command }, context, signal);
    if (!("pid" in spawned)) return spawned;
    context.onBorn(spawned);
    const { stdin } = spawned;
    const output = new Output(spawned, journal, limits);
    const options = { first: command.stdin, open: command.stdinOpen, maxWriters: limits.maxInputWriters };
    return { ...spawned, output, input: stdin === null ? undefined : new JobInput(stdin, options) };
  };

  const { process, ...work } = supervise(
    {
      start,
      watch: (stop) => watchTime(command.timeoutMs, context.maxJobMs, stop),
      signal: ({ pid }, name) => signalGroup(pid, name),
      end: () => endProcesses(trace, limits),
      finish: async ({ output, input }, outcome) => {
        const open = await output.rest();
        input?.close();
        for (const pipe of open) {
          // What the job left behind after its own end lives on; what we ended has nothing more to say.
          if (outcome.kind === "exited" || outcome.kind === "signaled") heldPipes.add(keyId, pipe);
          else pipe.destroy();
        }
      },
    },
    limits,
  );
  return {
    ...work,
    input: process.then((running) => (command.stdinOpen ? running?.input : undefined)),
    shell: beginning.promise.then((begun) =>
      begun?.shell === undefined || isStandardShell(begun.shell) ? undefined : begun.shell,
    ),
  };
}
