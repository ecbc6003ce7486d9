import { Machine as MachineService } from "@cmdop/proto";
import { Agent } from "./agent/agent.ts";
import type { MachineCaller } from "./connection/caller.ts";
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
}

/** One machine: everything that can be done on it. */
export class MachineClient {
  readonly terminal: Terminal;
  readonly files: Files;
  readonly agent: Agent;
  readonly #caller: MachineCaller;

  constructor(caller: MachineCaller) {
    this.#caller = caller;
    this.terminal = new Terminal(caller);
    this.files = new Files(caller);
    this.agent = new Agent(caller);
  }

  /** What the machine is, and what this key may do on it. */
  async info(): Promise<MachineDescription> {
    const service = this.#caller.client(MachineService);
    const answer = await this.#caller.invoke("/cmdop.v1.Machine/Info", (call) => service.info({}, call));
    const { $typeName: _type, $unknown: _unknown, memoryBytes, ...rest } = answer;
    return { ...rest, memoryBytes: Number(memoryBytes) };
  }
}
