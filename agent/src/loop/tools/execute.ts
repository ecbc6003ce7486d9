import { randomUUID } from "node:crypto";
import { Exec } from "@cmdop/proto";
import { z } from "zod";
import type { Job, Jobs } from "../../jobs/index.ts";
import type { Caller } from "../../policy/caller.ts";
import { LOOP_LIMITS } from "../limits.ts";
import { OpenCommand, type OpenCommands } from "./open-commands.ts";
import type { ToolGate, ToolUse } from "./tool-gate.ts";
import type { ToolSpec } from "./tools.ts";

export const EXECUTE_METHOD = "/cmdop.v1.Exec/Start";

const input = z.object({
  command: z.string().min(1).describe("One line for the user's shell. Nobody can answer its questions."),
  cwd: z.string().optional().describe("Working directory; the home directory unless given."),
  stdin: z.string().optional().describe("Standard input; empty unless given."),
  login: z
    .boolean()
    .optional()
    .describe(
      "True: with what the user's profile sets, where a program of nvm, pyenv or cargo is not found.",
    ),
  timeoutMs: z
    .int()
    .min(1)
    .max(LOOP_LIMITS.maxCommandMs)
    .optional()
    .describe(`Time limit in milliseconds; ${LOOP_LIMITS.defaultCommandMs} unless given.`),
});

/** The argument that says how long a tool waits for a command's end. */
export const waitMs = z
  .int()
  .min(0)
  .max(LOOP_LIMITS.maxCommandWaitMs)
  .optional()
  .describe(
    `How long to wait for its end, in milliseconds; ${LOOP_LIMITS.defaultCommandWaitMs} unless given.`,
  );

const patientInput = input.extend({ waitMs });

/** The dependencies of the tools that start jobs. */
export interface ExecuteOptions {
  readonly caller: Caller;
  readonly gate: ToolGate;
  readonly jobs: Jobs;
  /** Called with each job that is started, so that the end of the run ends it. */
  readonly own: (job: Job) => void;
}

/** Makes the tool that runs a command to its end. */
export function executeTool(options: ExecuteOptions): ToolSpec<z.infer<typeof input>> {
  return {
    name: "execute",
    touches: "commands",
    description: "Runs a command on this machine and returns its exit code and its output.",
    input,
    run: (wanted, use) =>
      started({ ...options, wanted, use }, async (command) => {
        const { ok, text } = await command.look();
        return { ok, text, jobId: command.job.identity.id };
      }),
  };
}

/** Makes the tool that runs a command, and answers before its end if that takes long. */
export function startTool(
  options: ExecuteOptions,
  commands: OpenCommands,
): ToolSpec<z.infer<typeof patientInput>> {
  return {
    name: "execute",
    touches: "commands",
    description:
      "Runs a command on this machine and returns its exit code and its output. One that runs for longer than waitMs goes on, and is looked at again with wait_command.",
    input: patientInput,
    run: ({ waitMs = LOOP_LIMITS.defaultCommandWaitMs, ...wanted }, use) =>
      started({ ...options, wanted, use, commands }, async (command) => ({
        ...(await commands.look(command, waitMs)),
        jobId: command.job.identity.id,
      })),
  };
}

interface Start extends ExecuteOptions {
  readonly wanted: z.infer<typeof input>;
  readonly use: ToolUse;
  /** The run's commands, which it joins while it is open. */
  readonly commands?: OpenCommands;
}

/** Starts a command as any caller's exec does: a job of the same key, with its own journal. */
function started<R>(start: Start, then: (command: OpenCommand) => Promise<R>): Promise<R> {
  const { caller, gate, jobs, own, wanted, use, commands } = start;
  const { command, cwd = "", stdin: text = "", login, timeoutMs = LOOP_LIMITS.defaultCommandMs } = wanted;
  const jobId = randomUUID();
  const stdin = Buffer.from(text);
  const type = Exec.method.start.input;
  const request = {
    jobId,
    command: { case: "shell", value: command },
    cwd,
    stdin,
    timeoutMs,
    ...(login === undefined ? {} : { login }),
  } as const;
  return gate({ caller, path: EXECUTE_METHOD, type, request, use }, ({ keyId }) => {
    commands?.checkRoom();
    const run = { shell: command };
    const asked = { run, login, cwd, env: {}, timeoutMs, stdinOpen: false, stdin };
    const { job } = jobs.start({ keyId, admin: false }, jobId, asked);
    own(job);
    const open = new OpenCommand(job, commands !== undefined);
    commands?.add(open);
    return then(open);
  });
}
