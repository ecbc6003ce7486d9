import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { CmdopError, LANES, type LaneName, type MachineIdentity } from "@cmdop/proto";
import type { Log } from "../log.ts";
import type { Times } from "./limits.ts";
import { type Admission, type Greet, Link, type LinkState } from "./link.ts";

/** What the table of links needs. */
export interface LinksOptions {
  readonly greet: Greet;
  readonly times: Times;
  readonly log: Log;
  /** Called when a link has come up, and calls are routed to it. */
  readonly onUp?: ((link: Link) => void) | undefined;
  /** Called when a link comes up, and when one that was up has ended. */
  readonly onSeen: (admission: Admission) => void;
}

type Lanes = Partial<Record<LaneName, Link>>;

/** The links that are up, by machine and lane: at most one each. */
export class Links {
  readonly #options: LinksOptions;
  readonly #table = new Map<string, Lanes>();
  readonly #all = new Set<Link>();

  constructor(options: LinksOptions) {
    this.#options = options;
  }

  /** Greets the agent on a fresh connection. Resolves true once its link is up; when it is refused, the connection is closed. */
  async accept(tls: TLSSocket, raw: Socket, address: string): Promise<boolean> {
    const { greet, times, log } = this.#options;
    const link: Link = new Link({
      tls,
      raw,
      address,
      times,
      onState: (state, before) => this.#changed(link, state, before),
    });
    this.#all.add(link);
    try {
      const admission = await link.greet(greet);
      // It may have ended in the very moment that it came up.
      if (link.state().kind === "up") this.#register(link, admission);
      return true;
    } catch (thrown) {
      const { code, message } = CmdopError.from(thrown);
      log.warn("agent refused", { address, code, message });
      link.close("the agent was refused");
      return false;
    }
  }

  /** The link that carries a lane of a machine. Content goes over the interactive link while its own is down. Throws MachineOffline. */
  pick(machine: MachineIdentity, lane: LaneName): Link {
    const lanes = this.#table.get(machine.id);
    const link = lanes?.[lane] ?? lanes?.interactive;
    if (link === undefined) {
      throw new CmdopError("MachineOffline", `The machine ${machine.name} is not connected to this relay.`);
    }
    return link;
  }

  /** A machine is online while its interactive link is up. */
  isOnline(machineId: string): boolean {
    return this.#table.get(machineId)?.interactive !== undefined;
  }

  /** The links that are up, of every machine and lane. */
  up(): readonly Link[] {
    return [...this.#table.values()].flatMap((lanes) => Object.values(lanes));
  }

  /** How many are up, by lane. */
  counts(): Record<LaneName, number> {
    const counts = { interactive: 0, download: 0, upload: 0 };
    for (const lanes of this.#table.values()) {
      for (const lane of LANES) if (lanes[lane] !== undefined) counts[lane] += 1;
    }
    return counts;
  }

  close(reason: string): void {
    for (const link of [...this.#all]) link.close(reason);
  }

  #register(link: Link, admission: Admission): void {
    const { machineId, lane, bootId } = admission;
    const lanes = this.#table.get(machineId) ?? {};
    for (const other of Object.values(lanes)) {
      const state = other.state();
      if (state.kind !== "up") continue;
      // The process behind another boot id has ended: nobody will answer its calls any more.
      if (state.admission.bootId !== bootId) other.close("the agent was started anew");
      else if (state.admission.lane === lane) other.drain("a new link took its place");
    }
    this.#table.set(machineId, { ...this.#table.get(machineId), [lane]: link });
    const { log } = this.#options;
    // By the interactive lane a machine is online: a line for each of the three would say the same thrice.
    const say = lane === "interactive" ? log.info : log.debug;
    say?.("link up", { machine: admission.machineName, id: machineId, lane, bootId });
    this.#options.onSeen(admission);
    this.#options.onUp?.(link);
  }

  #changed(link: Link, state: LinkState, before: LinkState): void {
    if (before.kind === "up") {
      this.#remove(link, before.admission);
      this.#options.onSeen(before.admission);
    }
    if (state.kind !== "closed") return;
    this.#all.delete(link);
    // What ended this one may have ended the others, too.
    if (before.kind === "up") {
      for (const other of Object.values(this.#table.get(before.admission.machineId) ?? {})) other.suspect();
    }
    if (before.kind === "up" || before.kind === "draining") {
      const { machineName, machineId, lane } = before.admission;
      const { log } = this.#options;
      const say = lane === "interactive" ? log.info : log.debug;
      say?.("link down", {
        machine: machineName,
        id: machineId,
        lane,
        reason: state.reason,
      });
    }
  }

  #remove(link: Link, { machineId, lane }: Admission): void {
    const lanes = this.#table.get(machineId);
    if (lanes?.[lane] !== link) return;
    delete lanes[lane];
    if (LANES.every((name) => lanes[name] === undefined)) this.#table.delete(machineId);
  }
}
