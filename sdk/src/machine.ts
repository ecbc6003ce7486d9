import { Machine as MachineService } from "@cmdop/proto";
import { Agent } from "./agent/agent.ts";
import { Approvals } from "./approvals.ts";
import type { MachineCaller } from "./connection/caller.ts";
import { type ExplainOptions, type Explanation, explain } from "./explain.ts";
import { Files } from "./files/files.ts";
import { Terminal } from "./terminal/terminal.ts";

/** A machine, from its own mouth. */
export interface MachineDescription {
  readonly id: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly hostname: string;
  /** `linux`, `darwin`. */
  readonly platform: string;
  /** `x64`, `arm64`. */
  readonly arch: string;
  readonly release: string;
  readonly agentVersion: string;
  /** The user that jobs run as, and its home. */
  readonly user: string;
  readonly home: string;
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly uptimeSeconds: number;
  /** What this key may do there, after grant and policy. */
  readonly scopes: readonly string[];
  /** Why the machine's policy file is not in force, where it is broken and the last good one is; else empty. */
  readonly policyError: string;
  /** Why the machine's agent can't write its state (a full or read-only disk), where it goes on in memory; else empty. */
  readonly diskError: string;
}

/** One machine: everything that can be done on it. */
export class MachineClient {
  readonly terminal: Terminal;
  readonly files: Files;
  readonly agent: Agent;
  /** The calls there that wait for a person. */
  readonly approvals: Approvals;
  readonly #caller: MachineCaller;

  constructor(caller: MachineCaller) {
    this.#caller = caller;
    this.terminal = new Terminal(caller);
    this.files = new Files(caller);
    this.agent = new Agent(caller);
    this.approvals = new Approvals(caller);
  }

  /** What the machine is, and what this key may do on it. */
  async info(): Promise<MachineDescription> {
    const service = this.#caller.client(MachineService);
    const answer = await this.#caller.invoke("/cmdop.v1.Machine/Info", (call) => service.info({}, call));
    const { $typeName: _type, $unknown: _unknown, memoryBytes, ...rest } = answer;
    return { ...rest, memoryBytes: Number(memoryBytes) };
  }

  /** What the machine would say to a call, and by which rule; runs nothing. */
  explain(options: ExplainOptions): Promise<Explanation> {
    return explain(this.#caller, options);
  }
}
