import { randomUUID } from "node:crypto";
import {
  type ApiKey,
  CmdopError,
  isNamePattern,
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
  /** Time when it was last seen, in milliseconds since 1970; null for never. */
  readonly lastSeenMs: number | null;
  readonly agentVersion: string;
  /**
   * Start of its quarantine, in milliseconds since 1970; null if it is not quarantined. A machine is
   * quarantined when two agents have used its key.
   */
  readonly quarantinedSinceMs: number | null;
}

/** The content of a join token. */
export interface JoinTokenOptions {
  /**
   * The machine's name. `*` in it, once, stands for the machine's host name. Default `*`. For several machines
   * a name without `*` comes before the host name: `fleet` is `fleet-*`. A machine whose name another machine
   * has gets a number: `web`, `web-2`.
   */
  readonly name?: string | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  /** The token's lifetime in seconds; default one hour. */
  readonly expiresInS?: number | undefined;
  /** Number of machines that may join with it; default 1. */
  readonly uses?: number | undefined;
}

/** Changes of labels. */
export interface LabelOptions {
  /** Labels to set. */
  readonly set?: Readonly<Record<string, string>> | undefined;
  /** Labels to remove. */
  readonly remove?: readonly string[] | undefined;
}

/** The owner's new statement on a machine. */
export interface NamedMachine {
  readonly id: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** Default lifetime of a join token, in seconds. */
const JOIN_TOKEN_LIFETIME_S = 60 * 60;

/** Most attempts to sign a record, when other owners' records come first. */
const MAX_LOST_RACES = 8;

/** The machines of a relay. */
export class Machines {
  readonly #relay: MachineCaller;
  readonly #apiKey: () => ApiKey;

  constructor(relay: MachineCaller, apiKey: () => ApiKey) {
    this.#relay = relay;
    this.#apiKey = apiKey;
  }

  /** Returns the machines that this key reaches, sorted by name. */
  async list(): Promise<MachineStatus[]> {
    return (await this.#summaries()).map(machineStatus);
  }

  /** Returns one machine, by its id or name. @throws CmdopError MachineUnknown, MachineAmbiguous */
  async find(idOrName: string): Promise<MachineStatus> {
    return machineStatus(named(await this.#summaries(), idOrName));
  }

  /**
   * Renames a machine. The new name holds at once; keys granted for the old name no longer reach it. Needs
   * the owner's key.
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
   * Changes a machine's labels, by which keys granted for labels reach it. Needs the owner's key. Returns the
   * signed result; unchanged labels are those that the relay showed.
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

  /**
   * Removes a machine and ends its links. It comes back only with a new join token. Needs the scope `admin`.
   */
  async remove(idOrName: string): Promise<void> {
    const { id } = await this.find(idOrName);
    const service = this.#relay.client(MachinesService);
    await this.#relay.invoke("/cmdop.relay.v1.Machines/Remove", (call) =>
      service.remove({ machineId: id }, call),
    );
  }

  /**
   * Releases a machine from quarantine. Call it only when the copy of its key is certainly gone: the first
   * agent with the key is then the machine, and two that alternate are quarantined again. Needs the owner's
   * key.
   */
  async release(idOrName: string): Promise<void> {
    const { id } = await this.find(idOrName);
    const service = this.#relay.client(MachinesService);
    await this.#relay.invoke("/cmdop.relay.v1.Machines/Release", (call) =>
      service.release({ machineId: id }, call),
    );
  }

  /** Makes a token with which a machine joins. Needs a client made with the owner's key; nothing is sent. */
  async createJoinToken(options: JoinTokenOptions): Promise<string> {
    const { key, relay } = this.#apiKey();
    const iat = Math.floor(Date.now() / 1000);
    const claims = {
      jti: randomUUID(),
      owner: key.publicKey,
      relay: { id: relay.id, address: relay.address },
      name: joinTokenName(options),
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
      // The owner who came first may have renamed it.
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

/** Returns the name in a join token, or its pattern. */
function joinTokenName({ name = "*", uses = 1 }: Pick<JoinTokenOptions, "name" | "uses">): string {
  return uses > 1 && !isNamePattern(name) ? `${name}-*` : name;
}

/** Converts a machine of the wire to the SDK's form. */
export function machineStatus(summary: MachineSummary): MachineStatus {
  const { id, name, labels, online, agentVersion } = summary;
  const lastSeenMs = summary.lastSeenMs === 0 ? null : summary.lastSeenMs;
  const quarantinedSinceMs = summary.quarantinedSinceMs === 0 ? null : summary.quarantinedSinceMs;
  return { id, name, labels, online, lastSeenMs, agentVersion, quarantinedSinceMs };
}
