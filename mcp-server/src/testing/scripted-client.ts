import { setImmediate, setTimeout } from "node:timers/promises";
import { onAbort } from "@cmdop/kit";
import {
  CmdopError,
  type ExecEnd,
  type ExecEvent,
  type ExecOptions,
  type LinkLoss,
  type MachineStatus,
} from "@cmdop/sdk";
import type { ToolClient, ToolMachine } from "../client.ts";
import { scriptedAgent } from "./scripted-agent.ts";
import { scriptedFiles } from "./scripted-files.ts";

/** Tells the test what happened to a job, in the order in which it did. */
export type Tell = (event: { readonly job: string; readonly what: "started" | "canceled" | "left" }) => void;

/** Well within the server's grace, and long enough that not waiting for it shows. */
const CLING_MS = 100;

/** What a command that begins with `ask` waits for. */
export const APPROVAL_ID = "3f0c1f52-9d5b-4b57-8f0e-0d2c7a1f4b11";

/** How the machine of the command `offline` is lost. */
const LOSS: LinkLoss = {
  code: "MachineOffline",
  message: "The machine is not connected to this relay.",
  sinceMs: 1_790_000_000_000,
  reconnectWindowMs: 900_000,
};

const MACHINES: readonly MachineStatus[] = [
  {
    id: "id-1",
    name: "web-1",
    labels: { team: "a" },
    online: true,
    lastSeenMs: 1_790_000_000_000,
    agentVersion: "0.1.0",
    quarantinedSinceMs: null,
  },
  {
    id: "id-2",
    name: "web-2",
    labels: {},
    online: false,
    lastSeenMs: null,
    agentVersion: "",
    quarantinedSinceMs: null,
  },
];

/**
 * Stands in for the SDK: a few commands known by their first word, and files in
 * memory. The whole path with the real SDK is tested elsewhere.
 */
export function scriptedClient(
  tell: Tell = () => undefined,
  approval = new AbortController().signal,
): ToolClient {
  const files = scriptedFiles();
  const machine = (name: string): ToolMachine => {
    if (name === "web-1")
      return { terminal: scriptedTerminal(tell, approval), agent: scriptedAgent(approval), files };
    if (name === "web-2") throw new CmdopError("MachineOffline", "web-2 has no link to the relay.");
    throw new CmdopError("MachineUnknown", `This key reaches no machine ${name}.`);
  };
  return {
    ...machine("web-1"),
    machine,
    machines: { list: async () => [...MACHINES] },
    whoAmI: async () => ({ machines: MACHINES.slice(0, 1) }),
  };
}

function scriptedTerminal(tell: Tell, approval: AbortSignal): ToolMachine["terminal"] {
  return {
    stream: (command, options = {}) => {
      const line = typeof command === "string" ? command : command.join(" ");
      return events(line, { ...options, tell, approval, jobId: options.jobId ?? "unnamed" });
    },
    resumeStream: (jobId, { after = 0 } = {}) => events(`echo behind ${after}`, { tell, approval, jobId }),
    cancel: async (jobId) => ({
      jobId,
      outcome: "canceled",
      exitCode: null,
      signal: "SIGTERM",
      reason: "Canceled by its caller.",
      durationMs: 1,
    }),
  };
}

interface Script extends Pick<ExecOptions, "stdin" | "signal" | "onWaiting" | "onLink" | "onOffline"> {
  /** Aborts when a person has said yes. */
  readonly approval: AbortSignal;
  readonly tell: Tell;
  readonly jobId: string;
}

async function* events(
  line: string,
  { tell, jobId: job, stdin = "", signal, onWaiting, onLink, onOffline, approval }: Script,
): AsyncGenerator<ExecEvent> {
  const out = (text: string): ExecEvent => ({ type: "stdout", data: Buffer.from(text), offset: 0 });
  const ended = (end: Partial<ExecEnd>): ExecEvent => ({
    type: "ended",
    jobId: job,
    outcome: "exited",
    exitCode: 0,
    signal: null,
    reason: "",
    durationMs: 1,
    ...end,
  });
  const [word = "", ...rest] = line.split(" ");
  if (word === "unreachable") {
    await new Promise<void>((resolve) => onAbort(signal, resolve));
    tell({ job, what: "canceled" });
    throw new CmdopError("Canceled", "The command was withdrawn.");
  }
  if (word === "ask") {
    onWaiting?.({ approvalId: APPROVAL_ID, expiresAtMs: 1_790_000_000_000 });
    await new Promise<void>((resolve) => onAbort(approval, resolve));
  }
  let isOver = false;
  try {
    yield {
      type: "started",
      jobId: job,
      pid: 1,
      attached: false,
      outputEnd: 0,
      inMemory: false,
      shell: word === "zsh" ? "/bin/zsh" : null,
    };
    tell({ job, what: "started" });
    switch (word) {
      case "echo":
        yield out(`${rest.join(" ")}\n`);
        break;
      case "cat":
        yield out(String(stdin));
        break;
      case "fail":
        yield { type: "stderr", data: Buffer.from("it broke\n"), offset: 0 };
        isOver = true;
        yield ended({ exitCode: 3 });
        return;
      case "ask":
        yield out("approved\n");
        break;
      case "missing":
        isOver = true;
        yield ended({ outcome: "failed_to_start", exitCode: null, reason: "there is no such program" });
        return;
      case "flood":
        for (let index = 0; index < 1000; index += 1) yield out(`${String(index).padStart(999)}\n`);
        break;
      case "break":
        isOver = true;
        throw new CmdopError("LinkLost", "The link broke.");
      case "offline":
        yield out("begun\n");
        onLink?.("lost", { ...LOSS, code: "LinkLost" });
        onOffline?.(LOSS);
        await new Promise<void>((resolve) => onAbort(signal, resolve));
        break;
      case "hang":
        await new Promise<void>((resolve) => onAbort(signal, resolve));
        break;
      case "cling":
        // Takes its time to end when it is canceled, as real commands do.
        await new Promise<void>((resolve) => onAbort(signal, resolve));
        await setTimeout(CLING_MS);
        break;
      case "talk":
        while (signal?.aborted !== true) {
          yield out("still here\n");
          await setImmediate();
        }
        break;
    }
    isOver = true;
    if (signal?.aborted === true) tell({ job, what: "canceled" });
    yield signal?.aborted === true ? ended({ outcome: "canceled", exitCode: null }) : ended({});
  } finally {
    if (!isOver) tell({ job, what: "left" });
  }
}
