import { type MachineInfoResponse, Machine as MachineService } from "@cmdop/proto";
import { Agent } from "./agent/agent.ts";
import { Approvals } from "./approvals.ts";
import type { MachineCaller } from "./connection/caller.ts";
import { type ExplainOptions, type Explanation, explain } from "./explain.ts";
import { Files } from "./files/files.ts";
import { type MachineHealth, machineHealth } from "./machine-health.ts";
import { Terminal } from "./terminal/terminal.ts";

/** A machine's description of itself. */
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
  /** The user that jobs run as, and that user's home directory. */
  readonly user: string;
  readonly home: string;
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly uptimeSeconds: number;
  /** This key's scopes on the machine, after grant and policy. */
  readonly scopes: readonly string[];
  /**
   * The error in the machine's policy file, if the file is broken and the last good policy is in force; else
   * empty.
   */
  readonly policyError: string;
  /**
   * The error that keeps the agent from writing its state (a full or read-only disk), if it goes on in
   * memory; else empty.
   */
  readonly diskError: string;
}

/** One machine and all that can be done on it. */
export class MachineClient {
  readonly terminal: Terminal;
  readonly files: Files;
  readonly agent: Agent;
  /** The calls on the machine that wait for a person. */
  readonly approvals: Approvals;
  readonly #caller: MachineCaller;

  constructor(caller: MachineCaller) {
    this.#caller = caller;
    this.terminal = new Terminal(caller);
    this.files = new Files(caller);
    this.agent = new Agent(caller);
    this.approvals = new Approvals(caller);
  }

  /** Returns the machine's description, and this key's scopes on it. */
  async info(): Promise<MachineDescription> {
    const service = this.#caller.client(MachineService);
    const answer = await this.#caller.invoke("/cmdop.v1.Machine/Info", (call) => service.info({}, call));
    return described(answer);
  }

  /** Returns the machine's description, and what a person checks first when something does not work. */
  async health(): Promise<MachineDescription & MachineHealth> {
    const service = this.#caller.client(MachineService);
    const answer = await this.#caller.invoke("/cmdop.v1.Machine/Info", (call) =>
      service.info({ health: true }, call),
    );
    return { ...described(answer), ...machineHealth(answer.health) };
  }

  /** Returns the decision that the machine would make on a call, and the rule behind it; runs nothing. */
  explain(options: ExplainOptions): Promise<Explanation> {
    return explain(this.#caller, options);
  }
}

function described(answer: MachineInfoResponse): MachineDescription {
  const { $typeName: _type, $unknown: _unknown, memoryBytes, health: _health, ...rest } = answer;
  return { ...rest, memoryBytes: Number(memoryBytes) };
}
