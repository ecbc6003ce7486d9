import { type MachineIdentity, type RelayRecord, selects } from "@cmdop/proto";
import type { AuthenticatedCaller } from "../data/authenticate.ts";
import type { Directory } from "../data/directory.ts";

/** Whose eyes. */
export type Viewer = Pick<AuthenticatedCaller, "keyId" | "grant">;

/**
 * What a caller may see of the audit. An owner, and a key whose grant reaches
 * every machine, see everything. Any other key sees the chains of the machines
 * that its grant selects now, and of the relay's chain what concerns those
 * machines or itself.
 */
export class View {
  readonly viewer: Viewer;
  readonly #directory: Directory;

  constructor(directory: Directory, viewer: Viewer) {
    this.#directory = directory;
    this.viewer = viewer;
  }

  /** Whether it sees everything, strangers' calls and the relay's own services included. */
  get seesAll(): boolean {
    const { grant } = this.viewer;
    return (
      grant === undefined ||
      grant.claims.machines.some((selector) => "name" in selector && selector.name === "*")
    );
  }

  /** `id`: of a machine, one that was removed too. */
  seesMachine(id: string): boolean {
    if (this.seesAll) return true;
    const [machine = { id, name: "", labels: {} }] = this.#directory
      .machinesCalled(id)
      .filter((one) => one.id === id);
    return this.#selects(machine);
  }

  /** Whether a record of the relay's chain is for these eyes; of an end, its begin decides. */
  seesRelayRecord(record: Exclude<RelayRecord, { type: "end" }>): boolean {
    // That the relay was started tells everybody which calls stay unknown; a clock that jumped, when they really were.
    if (this.seesAll || record.type === "started" || record.type === "clock") return true;
    if ("key" in record && record.key === this.viewer.keyId) return true;
    if (record.machine === null) return false;
    if (record.type !== "refused") return this.seesMachine(record.machine);
    return this.#directory.machinesCalled(record.machine).some((machine) => this.#selects(machine));
  }

  /** The name of a machine that is known here. */
  nameOf(id: string): string | undefined {
    return this.#directory.machinesCalled(id).find((machine) => machine.id === id)?.name;
  }

  #selects(machine: MachineIdentity): boolean {
    const { grant } = this.viewer;
    return grant === undefined || selects(grant.claims.machines, machine);
  }
}
