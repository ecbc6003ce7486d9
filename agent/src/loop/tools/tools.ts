import { argumentReader, CmdopError, printable } from "@cmdop/proto";
import type { ToolSet } from "ai";
import { z } from "zod";
import type { Confirmations, ToolTouch } from "../confirmations.ts";
import { LOOP_LIMITS } from "../limits.ts";
import type { AiSdk } from "../run-context.ts";
import type { RunEvents } from "../run-events.ts";
import type { ToolUse } from "./tool-gate.ts";

/** The result of a tool. */
export interface ToolAnswer {
  /** False if the use was refused or failed. */
  readonly ok: boolean;
  /** The text that the model reads. */
  readonly text: string;
  /** Id of the job that the tool started, if any. */
  readonly jobId?: string | undefined;
}

/** A tool of a run. */
export interface ToolSpec<I> {
  readonly name: string;
  readonly description: string;
  readonly input: z.ZodType<I>;
  /**
   * Its effect on the machine, for callers who want to confirm uses. Undefined if there is nothing to
   * confirm, or it was confirmed before (cancel_command: the start of the command).
   */
  readonly touches?: ToolTouch;
  /** Carries out one use. If it throws a CmdopError, the model gets its message. */
  run(input: I, use: ToolUse): Promise<ToolAnswer>;
}

/** The tools that a run's model may use, by name. */
export type RunTools = ToolSet;

/** The dependencies for turning our tools into those of the AI SDK. */
export interface ToolMaker {
  readonly ai: AiSdk;
  readonly events: RunEvents;
  /** Aborts when the run must end. */
  readonly signal: AbortSignal;
  /** Tool uses that are running: the run waits briefly for their last events. */
  readonly running: Set<Promise<unknown>>;
  /** Asks the run's caller for confirmation, if it wants that. */
  readonly confirmations: Confirmations;
  readonly callIds: CallIds;
}

/** Unique ids for the tool calls of a run: some providers use the same id again and again. */
export class CallIds {
  readonly #uses = new Map<string, number>();

  /** Returns the provider's id, made unique in the run. */
  unique(given: string): string {
    const id = given.slice(0, LOOP_LIMITS.maxCallIdCharacters);
    const uses = (this.#uses.get(id) ?? 0) + 1;
    this.#uses.set(id, uses);
    // The suffix keeps ids different, whatever the provider sends.
    return uses === 1 && !id.includes("#") ? id : `${id}#${uses}`;
  }
}

/** Makes a tool for the AI SDK that also writes events. It never throws: errors are told to the model. */
export function makeTool<I>(maker: ToolMaker, spec: ToolSpec<I>): RunTools {
  const { ai, events, signal, running, confirmations, callIds } = maker;
  const { name, description, input: inputSchema, touches } = spec;
  const confirmed = async (input: I, callId: string, use: ToolUse): Promise<ToolAnswer> => {
    await confirmations.ask({ callId, tool: name, input, touches, events, signal });
    return spec.run(input, use);
  };
  const validated = (value: unknown) => {
    const parsed = inputSchema.safeParse(value);
    return parsed.success
      ? { success: true as const, value: parsed.data }
      : { success: false as const, error: new Error(z.prettifyError(parsed.error)) };
  };
  const use = async (input: I, callId: string): Promise<ToolAnswer> => {
    events.write({ type: "tool_call", callId, tool: name, input });
    const onWaiting: ToolUse["onWaiting"] = (approvalId, expiresAtMs) =>
      events.write({ type: "approval", callId, tool: name, approvalId, expiresAtMs });
    const answer = await confirmed(input, callId, { signal, onWaiting }).catch(
      (thrown: unknown): ToolAnswer => {
        const { code, message, next } = CmdopError.from(thrown);
        return { ok: false, text: printable(`${code}: ${message} ${next}`) };
      },
    );
    const { ok, text: output, jobId } = answer;
    const started = jobId === undefined ? {} : { jobId };
    events.write({ type: "tool_result", callId, tool: name, ok, output, ...started });
    return answer;
  };
  const read = argumentReader(inputSchema);
  const shape = ai.zodSchema(inputSchema);
  const made = ai.tool({
    description,
    // The JSON Schema is made once, not with each step.
    inputSchema: ai.jsonSchema<I>(() => shape.jsonSchema, { validate: (given) => validated(read(given)) }),
    execute: (input, { toolCallId }) => {
      const used = use(input, callIds.unique(toolCallId));
      running.add(used);
      return used.finally(() => running.delete(used));
    },
    toModelOutput: ({ output }) => ({ type: "text", value: output.text }),
  });
  return { [name]: made };
}

/** Makes a tool that works once: a model may ask for it several times, even at once. */
export function once<I>(spec: ToolSpec<I>): ToolSpec<I> {
  let isUsed = false;
  return {
    ...spec,
    run: async (input, use) => {
      if (isUsed) return { ok: false, text: `Refused: ${spec.name} was used already, and works only once.` };
      isUsed = true;
      return spec.run(input, use);
    },
  };
}
