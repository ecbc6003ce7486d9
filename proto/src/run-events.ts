import { z } from "zod";
import { AgentApprove, AgentType } from "./gen/cmdop/v1/agent_pb.ts";

/** Types of agents. */
export const AGENT_TYPES = ["chat", "terminal", "command", "router", "planner"] as const;
export type AgentTypeName = (typeof AGENT_TYPES)[number];

/** The agent types on the wire. */
export const WIRE_AGENT_TYPES: Readonly<Record<AgentTypeName, AgentType>> = {
  chat: AgentType.CHAT,
  terminal: AgentType.TERMINAL,
  command: AgentType.COMMAND,
  router: AgentType.ROUTER,
  planner: AgentType.PLANNER,
};

/**
 * Returns the type that a request names, `terminal` if it names none; undefined for one that this version
 * does not know.
 */
export function agentTypeName(type: AgentType): AgentTypeName | undefined {
  if (type === AgentType.UNSPECIFIED) return "terminal";
  return AGENT_TYPES.find((name) => WIRE_AGENT_TYPES[name] === type);
}

/**
 * The tool uses that a run's caller may want to confirm. `writes`: everything that can change the machine:
 * files, and commands, which can write, too. `commands`: commands and typing into sessions, while files are
 * changed without a question. `all`: reads as well.
 */
export const RUN_APPROVES = ["none", "writes", "commands", "all"] as const;
export type RunApproveName = (typeof RUN_APPROVES)[number];

/** The settings of `approve` on the wire. */
export const WIRE_RUN_APPROVES: Readonly<Record<RunApproveName, AgentApprove>> = {
  none: AgentApprove.UNSPECIFIED,
  writes: AgentApprove.WRITES,
  commands: AgentApprove.COMMANDS,
  all: AgentApprove.ALL,
};

/** Returns the setting that a request names; undefined for one that this version does not know. */
export function runApproveName(approve: AgentApprove): RunApproveName | undefined {
  return RUN_APPROVES.find((name) => WIRE_RUN_APPROVES[name] === approve);
}

const agentType = z.enum(AGENT_TYPES);
const count = z.int().min(0);

/** Tokens of the model; 0 if its provider does not report them. */
const usage = z.object({ inputTokens: count, outputTokens: count, totalTokens: count });
export type RunUsage = Readonly<z.infer<typeof usage>>;

/** The reason why a run has no answer. */
const failure = z.object({
  /** A code of the error table. */
  code: z.string(),
  message: z.string(),
  next: z.string(),
});
export type RunFailure = Readonly<z.infer<typeof failure>>;

const runEvent = z.discriminatedUnion("type", [
  /** The first event: the agent type, and the model (`provider:model`). */
  z.object({ type: z.literal("begun"), agentType, model: z.string() }),
  /** The model is called, for the nth time. */
  z.object({ type: z.literal("step"), step: count }),
  /** A piece of the model's text. */
  z.object({ type: z.literal("text"), text: z.string() }),
  /** A piece of the model's thoughts, if its provider shows them. */
  z.object({ type: z.literal("reasoning"), text: z.string() }),
  /** The model asks for a tool. `input` is unchanged if it can't be used. */
  z.object({ type: z.literal("tool_call"), callId: z.string(), tool: z.string(), input: z.unknown() }),
  /** The tool's result, as the model reads it, shortened if it was long. */
  z.object({
    type: z.literal("tool_result"),
    callId: z.string(),
    tool: z.string(),
    /** False if it was refused or failed. */
    ok: z.boolean(),
    output: z.string(),
    /** Id of the job that the tool has started on the machine. */
    jobId: z.string().optional(),
  }),
  /**
   * The tool waits for a person because of the machine's policy; the answer must name `approvalId`. Without
   * an answer it is refused.
   */
  z.object({
    type: z.literal("approval"),
    callId: z.string(),
    tool: z.string(),
    approvalId: z.string(),
    /** Time of the refusal, in milliseconds since 1970, by the machine's clock. */
    expiresAtMs: z.number(),
  }),
  /**
   * The tool waits for the run's caller, who wanted to confirm it; the answer must name `callId`. Without an
   * answer it is refused.
   */
  z.object({
    type: z.literal("asked"),
    callId: z.string(),
    tool: z.string(),
    /** Hash of the use to which an approval is bound (useHash). */
    hash: z.string(),
    /** Time of the refusal, in milliseconds since 1970, by the machine's clock. */
    expiresAtMs: z.number(),
  }),
  /** The caller's answer. */
  z.object({ type: z.literal("answered"), callId: z.string(), approved: z.boolean(), reason: z.string() }),
  /** The tokens of one call of the model. */
  z.object({ type: z.literal("usage"), ...usage.shape }),
  /** The model is called again; text and reasoning since the last `step` are void. */
  z.object({ type: z.literal("retry"), reason: z.string(), pauseMs: z.number() }),
  /** The text since the last `step` was a thought: its end tag has come without a start tag. */
  z.object({ type: z.literal("revoked") }),
  /** The answer is empty, or does not match its schema: the model is told, once. */
  z.object({ type: z.literal("repair"), errors: z.string() }),
  /** Old output of tools was removed from the conversation, which had grown too long. */
  z.object({ type: z.literal("shortened"), characters: count }),
  /** The router's choice. */
  z.object({ type: z.literal("choice"), agentType, reason: z.string() }),
  /** The planner's plan, or a new one for the remaining work. */
  z.object({ type: z.literal("plan"), steps: z.array(z.string()) }),
  /** A step of the plan begins, or has ended. */
  z.object({
    type: z.literal("plan_step"),
    /** Number in the newest plan, from 1. */
    number: count,
    state: z.enum(["begun", "done", "failed"]),
    /** The work done, or the reason of the failure. */
    report: z.string(),
  }),
  /** The last event: the whole answer, or the reason why there is none. */
  z.object({
    type: z.literal("end"),
    /** The model's last text, even if it is not an answer. */
    text: z.string(),
    /** The value that matches the schema, if one was given. */
    output: z.unknown().optional(),
    steps: count,
    toolCalls: count,
    usage,
    failure: failure.optional(),
  }),
]);

/** An event of a run, as in its journal. */
export type RunEvent = z.infer<typeof runEvent>;

/** Formats an event as a line of a run's journal, with its newline. */
export function runEventLine(event: RunEvent): string {
  return `${JSON.stringify(event)}\n`;
}

/**
 * Parses a line of a run's journal without its newline; undefined if this version does not know the event.
 */
export function readRunEvent(line: string): RunEvent | undefined {
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch (thrown) {
    // A reader may begin in the middle of a line.
    if (thrown instanceof SyntaxError) return undefined;
    throw thrown;
  }
  return runEvent.safeParse(json).data;
}
