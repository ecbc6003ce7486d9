import { Jobs } from "@cmdop/proto";
import { z } from "zod";
import { LOOP_LIMITS } from "../limits.ts";
import { type ExecuteOptions, waitMs } from "./execute.ts";
import type { OpenCommands } from "./open-commands.ts";
import type { ToolSpec } from "./tools.ts";

export const WAIT_METHOD = "/cmdop.v1.Jobs/Attach";
export const CANCEL_METHOD = "/cmdop.v1.Jobs/Cancel";

const jobId = z.string().describe("The jobId of a command that was still running.");
const waitInput = z.object({
  jobId: z.string().describe("The jobId of a command."),
  waitMs,
  offset: z
    .int()
    .min(0)
    .optional()
    .describe(
      "Read again from this byte of its output on, without waiting; a note of what was left out names one.",
    ),
});
const cancelInput = z.object({ jobId });

type HandleOptions = Pick<ExecuteOptions, "caller" | "gate" | "jobs">;

/** Makes the tool that waits for a running command of this run, or reads its output again. */
export function waitCommandTool(
  { caller, gate }: HandleOptions,
  commands: OpenCommands,
): ToolSpec<z.infer<typeof waitInput>> {
  return {
    name: "wait_command",
    description:
      "Waits for a command that is still running, and returns what it has said since the last look; or reads again, also of one that has ended, what an answer left out.",
    input: waitInput,
    run: async ({ jobId, waitMs = LOOP_LIMITS.defaultCommandWaitMs, offset }, use) => {
      const command = offset === undefined ? commands.get(jobId) : commands.known(jobId);
      const call = { caller, path: WAIT_METHOD, type: Jobs.method.attach.input, use };
      return gate({ ...call, request: { jobId } }, () =>
        offset === undefined ? commands.look(command, waitMs) : command.readAgain(offset),
      );
    },
  };
}

/** Makes the tool that ends a command of this run. */
export function cancelCommandTool(
  { caller, gate, jobs }: HandleOptions,
  commands: OpenCommands,
): ToolSpec<z.infer<typeof cancelInput>> {
  return {
    name: "cancel_command",
    description: "Ends a command that is still running, and returns what it has said since the last look.",
    input: cancelInput,
    run: async ({ jobId }, use) => {
      const command = commands.get(jobId);
      const call = { caller, path: CANCEL_METHOD, type: Jobs.method.cancel.input, use };
      return gate({ ...call, request: { jobId } }, async ({ keyId }) => {
        await jobs.cancel({ keyId, admin: false }, jobId);
        const { text } = await commands.look(command);
        // The model asked for its end, so an ended command is a success.
        return { ok: true, text };
      });
    },
  };
}
