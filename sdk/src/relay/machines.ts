import { randomUUID } from "node:crypto";
import {
  type ApiKey,
  CmdopError,
  type MachineSummary,
  Machines as MachinesService,
  signJoinToken,
  signMachineRecord,
} from "@cmdop/proto";
import type { MachineCaller } from "../connection/caller.ts";

/** A machine, as the relay sees it. */
export interface MachineStatus {
  /** The thumbprint of the machine's key. */
  readonly id: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** True while its agent is connected. */
  readonly online: boolean;
  /** When it was last seen, in milliseconds since 1970; null for never. */
  readonly lastSeenMs: number | null;
  readonly agentVersion: string;
  /** Since when it is quarantined, in milliseconds since 1970, as two agents have used its key; null where it is not. */
  readonly quarantinedSinceMs: number | null;
}

/** What a join token says. */
export interface JoinTokenOptions {
  /** What the machine will be called. */
  readonly name: string;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  /** Life of the token in seconds; one hour unless given. */
  readonly expiresInS?: number | undefined;
  /** Machines that may join with it; 1 unless given. */
  readonly uses?: number | undefined;
}

/** Which labels are to change. */
export interface LabelOptions {
  /** Labels to give, or to give another value. */
  readonly set?: Readonly<Record<string, string>> | undefined;
  /** Labels to take away. */
  readonly remove?: readonly string[] | undefined;
}

/** What the owner says of a machine from now on. */
export interface NamedMachine {
  readonly id: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** Life of a join token in seconds, unless the owner says otherwise. */
const JOIN_TOKEN_LIFETIME_S = 60 * 60;

/** Times that a record is signed anew because another owner's came first. */
const MAX_LOST_RACES = 8;

/** The machines of a relay. */
export class Machines {
  readonly #relay: MachineCaller;
  readonly #apiKey: () => ApiKey;

  constructor(relay: MachineCaller, apiKey: () => ApiKey) {
    this.#relay = relay;
    this.#apiKey = apiKey;
  }

  /** The machines that this key reaches, sorted by name. */
  async list(): Promise<MachineStatus[]> {
    return (await this.#summaries()).map(machineStatus);
  }

  /**
   * One machine, by its id or name.
   * @throws CmdopError MachineUnknown, MachineAmbiguous
   */
  async find(idOrName: string): Promise<MachineStatus> {
    return machineStatus(named(await this.#summaries(), idOrName));
  }

  /**
   * Gives a machine another name. What it can be called changes at once; keys that
   * are granted the old name reach it no longer. Needs the owner's key.
   * @throws CmdopError AlreadyExists when another machine has that name
   */
  rename(idOrName: string, newName: string): Promise<NamedMachine> {
    return this.#change(idOrName, (machine, others) => {
      if (others.some(({ id, name }) => name === newName && id !== machine.id)) {
        throw new CmdopError("AlreadyExists", `Another machine is called ${JSON.stringify(newName)}.`);
      }
      return { name: newName, labels: machine.labels };
    });
  }

  /**
   * Changes a machine's labels; grants for labels reach it by them. Needs the owner's
   * key. What it returns is what was signed: the labels that stay are those that
   * the relay showed.
   */
  label(idOrName: string, { set = {}, remove = [] }: LabelOptions): Promise<NamedMachine> {
    return this.#change(idOrName, ({ name, labels }) => ({
      name,
      labels: {
        ...Object.fromEntries(Object.entries(labels).filter(([label]) => !remove.includes(label))),
        ...set,
      },
    }));
  }

  /** Forgets a machine and ends its links; it comes back only with a new join token. Needs the scope admin. */
  async remove(idOrName: string): Promise<void> {
    const { id } = await this.find(idOrName);
    const service = this.#relay.client(MachinesService);
    await this.#relay.invoke("/cmdop.relay.v1.Machines/Remove", (call) =>
      service.remove({ machineId: id }, call),
    );
  }

  /**
   * Lets a quarantined machine back in. To be called once the copy of its key is
   * gone for certain: whoever has the key and comes first is the machine, and two
   * that alternate are quarantined again. Needs the owner's key.
   */
  async release(idOrName: string): Promise<void> {
    const { id } = await this.find(idOrName);
    const service = this.#relay.client(MachinesService);
    await this.#relay.invoke("/cmdop.relay.v1.Machines/Release", (call) =>
      service.release({ machineId: id }, call),
    );
  }

  /** A token with which a machine joins. Needs a client made with the owner's key; nothing is sent. */
  async createJoinToken(options: JoinTokenOptions): Promise<string> {
    const { key, relay } = this.#apiKey();
    const iat = Math.floor(Date.now() / 1000);
    const claims = {
      jti: randomUUID(),
      owner: key.publicKey,
      relay: { id: relay.id, address: relay.address },
      name: options.name,
      labels: { ...options.labels },
      uses: options.uses ?? 1,
      iat,
      exp: iat + (options.expiresInS ?? JOIN_TOKEN_LIFETIME_S),
    };
    return signJoinToken(claims, key);
  }

  async #change(
    idOrName: string,
    change: (
      machine: MachineSummary,
      all: readonly MachineSummary[],
    ) => { name: string; labels: Record<string, string> },
  ): Promise<NamedMachine> {
    const service = this.#relay.client(MachinesService);
    let machineCalled = idOrName;
    for (let race = 1; ; race += 1) {
      const all = await this.#summaries();
      const machine = named(all, machineCalled);
      // Whoever came first may have renamed it.
      machineCalled = machine.id;
      const wanted = { id: machine.id, ...change(machine, all) };
      const seq = Number(machine.recordSeq) + 1;
      const record = await signMachineRecord({ ...wanted, seq }, this.#apiKey().key);
      try {
        await this.#relay.invoke("/cmdop.relay.v1.Machines/Put", (call) => service.put({ record }, call));
        return wanted;
      } catch (thrown) {
        const error = CmdopError.from(thrown);
        if (error.code !== "InvalidArgument" || race >= MAX_LOST_RACES) throw error;
        const now = named(await this.#summaries(), machine.id);
        if (now.recordSeq < seq) throw error;
      }
    }
  }

  async #summaries(): Promise<MachineSummary[]> {
    const service = this.#relay.client(MachinesService);
    const { machines } = await this.#relay.invoke("/cmdop.relay.v1.Machines/List", (call) =>
      service.list({}, call),
    );
    return machines;
  }
}

function named(machines: readonly MachineSummary[], idOrName: string): MachineSummary {
  const byId = machines.find(({ id }) => id === idOrName);
  if (byId !== undefined) return byId;
  const [machine, namesake] = machines.filter(({ name }) => name === idOrName);
  if (machine === undefined) {
    throw new CmdopError(
      "MachineUnknown",
      `This key reaches no machine that is called ${JSON.stringify(idOrName)}.`,
    );
  }
  if (namesake !== undefined) {
    throw new CmdopError(
      "MachineAmbiguous",
      `Several machines are called ${idOrName}: ${machine.id}, ${namesake.id}, …`,
    );
  }
  return machine;
}

/** A machine of the wire as the SDK gives it. */
export function machineStatus(summary: MachineSummary): MachineStatus {
  const { id, name, labels, online, agentVersion } = summary;
  const lastSeenMs = summary.lastSeenMs === 0 ? null : summary.lastSeenMs;
  const quarantinedSinceMs = summary.quarantinedSinceMs === 0 ? null : summary.quarantinedSinceMs;
  return { id, name, labels, online, lastSeenMs, agentVersion, quarantinedSinceMs };
}
