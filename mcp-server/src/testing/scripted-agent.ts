import { onAbort } from "@cmdop/kit";
import { CmdopError, type RunEnd, type RunOptions, type RunStreamEvent } from "@cmdop/sdk";
import type { ToolMachine } from "../client.ts";

/** What a prompt that is `ask` waits for. */
export const RUN_APPROVAL_ID = "7a4b61c4-0c5e-4d0f-9d55-5a8f1b8a2d33";

const USAGE = { inputTokens: 1, outputTokens: 1, totalTokens: 2 };

/** Stands in for the SDK's agent: runs known by their prompt. `approval` aborts when a person has said yes. */
export function scriptedAgent(approval: AbortSignal): ToolMachine["agent"] {
  return {
    stream: (prompt, options = {}) => events(prompt, approval, options),
    resumeStream: (runId) => events("again", approval, { runId }),
    approve: async () => {
      throw new CmdopError("NotFound", "Nothing of this run waits.");
    },
    cancel: async (runId) => runEnd(runId, "unknown"),
  };
}

function runEnd(runId: string, outcome: RunEnd["outcome"], reason = ""): RunEnd {
  return { runId, outcome, reason, durationMs: 7 };
}

async function* events(
  prompt: string,
  approval: AbortSignal,
  { runId = "unnamed", signal, onWaiting, outputJsonSchema }: RunOptions,
): AsyncGenerator<RunStreamEvent, void, void> {
  const after = 0;
  if (prompt === "unreachable") {
    await new Promise<void>((resolve) => onAbort(signal, resolve));
    throw new CmdopError("Canceled", "The run was withdrawn.");
  }
  if (prompt === "ask") {
    onWaiting?.({ approvalId: RUN_APPROVAL_ID, expiresAtMs: 1_790_000_000_000 });
    await new Promise<void>((resolve) => onAbort(approval, resolve));
  }
  yield { type: "started", runId, after, attached: false, outputEnd: 0, inMemory: false };
  yield { type: "tool_call", after, callId: "1", tool: "execute", input: { command: "df" } };
  if (prompt === "wants")
    yield { type: "asked", after, callId: "1", tool: "execute", hash: "h", expiresAtMs: 1_790_000_000_000 };
  if (prompt === "hang" || prompt === "wants") {
    await new Promise<void>((resolve) => onAbort(signal, resolve));
    yield { type: "ended", after, ...runEnd(runId, "canceled") };
    return;
  }
  yield { type: "tool_result", after, callId: "1", tool: "execute", ok: true, output: "full" };
  const end = { type: "end", after, steps: 2, toolCalls: 1, usage: USAGE } as const;
  if (prompt === "fail") {
    const failure = { code: "BudgetSpent", message: "Too many steps.", next: "Ask for less." };
    yield { ...end, text: "so far", failure };
    yield { type: "ended", after, ...runEnd(runId, "failed", "Too many steps.") };
    return;
  }
  const text = prompt === "long" ? `begin${"x".repeat(100_000)}end` : `answer to ${prompt}`;
  const output = outputJsonSchema === undefined ? {} : { output: { disks: 2 } };
  yield { ...end, text, ...output };
  yield { type: "ended", after, ...runEnd(runId, "completed") };
}
