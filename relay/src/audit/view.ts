import { type MachineIdentity, type RelayRecord, selects } from "@cmdop/proto";
import type { AuthenticatedCaller } from "../data/authenticate.ts";
import type { Directory } from "../data/directory.ts";

/** The caller that a view is for. */
export type Viewer = Pick<AuthenticatedCaller, "keyId" | "grant">;

/**
 * A caller's view of the audit. An owner, and a key whose grant reaches every machine, see everything. Any
 * other key sees the chains of the machines that its grant selects now, and those records of the relay's
 * chain that concern these machines or itself.
 */
export class View {
  readonly viewer: Viewer;
  readonly #directory: Directory;

  constructor(directory: Directory, viewer: Viewer) {
    this.#directory = directory;
    this.viewer = viewer;
  }

  /** True if it sees everything, including strangers' calls and the relay's own services. */
  get seesAll(): boolean {
    const { grant } = this.viewer;
    return (
      grant === undefined ||
      grant.claims.machines.some((selector) => "name" in selector && selector.name === "*")
    );
  }

  /** Returns true if it sees a machine; also for one that was removed. */
  seesMachine(id: string): boolean {
    if (this.seesAll) return true;
    const [machine = { id, name: "", labels: {} }] = this.#directory
      .machinesCalled(id)
      .filter((one) => one.id === id);
    return this.#selects(machine);
  }

  /** Returns true if it sees a record of the relay's chain; an end follows its begin. */
  seesRelayRecord(record: Exclude<RelayRecord, { type: "end" }>): boolean {
    // Everybody sees starts, which show the calls whose end stays unknown, and clock jumps, which show when
    // calls really were.
    if (this.seesAll || record.type === "started" || record.type === "clock") return true;
    if ("key" in record && record.key === this.viewer.keyId) return true;
    if (record.machine === null) return false;
    if (record.type !== "refused") return this.seesMachine(record.machine);
    return this.#directory.machinesCalled(record.machine).some((machine) => this.#selects(machine));
  }

  /** Returns the name of a machine that is known here. */
  nameOf(id: string): string | undefined {
    return this.#directory.machinesCalled(id).find((machine) => machine.id === id)?.name;
  }

  #selects(machine: MachineIdentity): boolean {
    const { grant } = this.viewer;
    return grant === undefined || selects(grant.claims.machines, machine);
  }
}
