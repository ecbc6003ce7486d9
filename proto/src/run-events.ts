import { z } from "zod";
import { AgentApprove, AgentType } from "./gen/cmdop/v1/agent_pb.ts";

/** The kinds of agents. */
export const AGENT_TYPES = ["chat", "terminal", "command", "router", "planner"] as const;
export type AgentTypeName = (typeof AGENT_TYPES)[number];

/** What each is on the wire. */
export const WIRE_AGENT_TYPES: Readonly<Record<AgentTypeName, AgentType>> = {
  chat: AgentType.CHAT,
  terminal: AgentType.TERMINAL,
  command: AgentType.COMMAND,
  router: AgentType.ROUTER,
  planner: AgentType.PLANNER,
};

/** The type that a request names, `terminal` where it names none; undefined for one that this version does not know. */
export function agentTypeName(type: AgentType): AgentTypeName | undefined {
  if (type === AgentType.UNSPECIFIED) return "terminal";
  return AGENT_TYPES.find((name) => WIRE_AGENT_TYPES[name] === type);
}

/**
 * Which uses of tools a run's caller can want to be asked for. `writes`: whatever
 * can change the machine, so files and commands, which can write as well;
 * `commands`: those and typing into sessions, while files are changed unasked;
 * `all`: also what only reads.
 */
export const RUN_APPROVES = ["none", "writes", "commands", "all"] as const;
export type RunApproveName = (typeof RUN_APPROVES)[number];

/** What each is on the wire. */
export const WIRE_RUN_APPROVES: Readonly<Record<RunApproveName, AgentApprove>> = {
  none: AgentApprove.UNSPECIFIED,
  writes: AgentApprove.WRITES,
  commands: AgentApprove.COMMANDS,
  all: AgentApprove.ALL,
};

/** What a request names; undefined for what this version does not know. */
export function runApproveName(approve: AgentApprove): RunApproveName | undefined {
  return RUN_APPROVES.find((name) => WIRE_RUN_APPROVES[name] === approve);
}

const agentType = z.enum(AGENT_TYPES);
const count = z.int().min(0);

/** Tokens of the model; 0 where its provider does not say. */
const usage = z.object({ inputTokens: count, outputTokens: count, totalTokens: count });
export type RunUsage = Readonly<z.infer<typeof usage>>;

/** Why a run has no answer. */
const failure = z.object({
  /** A row of the error table. */
  code: z.string(),
  message: z.string(),
  next: z.string(),
});
export type RunFailure = Readonly<z.infer<typeof failure>>;

const runEvent = z.discriminatedUnion("type", [
  /** The first: which agent works, with which model (`provider:model`). */
  z.object({ type: z.literal("begun"), agentType, model: z.string() }),
  /** The model is called, for the nth time. */
  z.object({ type: z.literal("step"), step: count }),
  /** A piece of the model's text. */
  z.object({ type: z.literal("text"), text: z.string() }),
  /** A piece of what the model thinks, where its provider shows it. */
  z.object({ type: z.literal("reasoning"), text: z.string() }),
  /** The model asks for a tool; `input` as it came, where it can't be used. */
  z.object({ type: z.literal("tool_call"), callId: z.string(), tool: z.string(), input: z.unknown() }),
  /** What the tool said, as the model reads it, shortened where it was long. */
  z.object({
    type: z.literal("tool_result"),
    callId: z.string(),
    tool: z.string(),
    /** False where it was refused, or failed. */
    ok: z.boolean(),
    output: z.string(),
    /** The job that the tool has started on the machine. */
    jobId: z.string().optional(),
  }),
  /** The tool waits for a person, as the machine's policy wants it: `approvalId` is what one answers. Silence means no. */
  z.object({
    type: z.literal("approval"),
    callId: z.string(),
    tool: z.string(),
    approvalId: z.string(),
    /** In milliseconds since 1970 by the machine's clock. */
    expiresAtMs: z.number(),
  }),
  /** The tool waits for the run's caller, who wanted to be asked: `callId` is what one answers. Silence means no. */
  z.object({
    type: z.literal("asked"),
    callId: z.string(),
    tool: z.string(),
    /** What a yes is for (useHash). */
    hash: z.string(),
    /** In milliseconds since 1970 by the machine's clock. */
    expiresAtMs: z.number(),
  }),
  /** What the caller has said. */
  z.object({ type: z.literal("answered"), callId: z.string(), approved: z.boolean(), reason: z.string() }),
  /** The tokens of one call of the model. */
  z.object({ type: z.literal("usage"), ...usage.shape }),
  /** The model is called again; text and reasoning since the last `step` are void. */
  z.object({ type: z.literal("retry"), reason: z.string(), pauseMs: z.number() }),
  /** The text since the last `step` was a thought: its end has come, without its beginning. */
  z.object({ type: z.literal("revoked") }),
  /** The answer is empty, or does not match its schema: the model is told, once. */
  z.object({ type: z.literal("repair"), errors: z.string() }),
  /** Old output of tools was taken out of the model's view, which grew too long. */
  z.object({ type: z.literal("shortened"), characters: count }),
  /** The router's choice. */
  z.object({ type: z.literal("choice"), agentType, reason: z.string() }),
  /** The planner's plan, or a new one for what is left. */
  z.object({ type: z.literal("plan"), steps: z.array(z.string()) }),
  /** A step of the plan begins, or has ended. */
  z.object({
    type: z.literal("plan_step"),
    /** Counted from 1 in the newest plan. */
    number: count,
    state: z.enum(["begun", "done", "failed"]),
    /** What was done, or why it failed. */
    report: z.string(),
  }),
  /** The last: the whole answer, or why there is none. */
  z.object({
    type: z.literal("end"),
    /** The model's last text; also where it is no answer. */
    text: z.string(),
    /** What matches the schema, where one was given. */
    output: z.unknown().optional(),
    steps: count,
    toolCalls: count,
    usage,
    failure: failure.optional(),
  }),
]);

/** What happens in a run, in the order of its journal. */
export type RunEvent = z.infer<typeof runEvent>;

/** An event as a line of a run's journal, its newline included. */
export function runEventLine(event: RunEvent): string {
  return `${JSON.stringify(event)}\n`;
}

/** A line of a run's journal, without its newline; undefined where it is none that this version knows. */
export function readRunEvent(line: string): RunEvent | undefined {
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch (thrown) {
    // A reader may begin in the midst of a line.
    if (thrown instanceof SyntaxError) return undefined;
    throw thrown;
  }
  return runEvent.safeParse(json).data;
}
