import type { StoredMachine } from "./store.ts";

/** The machines that have joined, in memory, because every call looks for one by id or by name. */
export class KnownMachines {
  readonly #byId = new Map<string, StoredMachine>();
  readonly #byName = new Map<string, Map<string, StoredMachine>>();
  /**
   * The ids sorted by name; undefined after a name has come or gone. Every call that lists machines needs it.
   */
  #sorted: readonly string[] | undefined;

  get(id: string): StoredMachine | undefined {
    return this.#byId.get(id);
  }

  /** Returns all machines, sorted by name. */
  all(): readonly StoredMachine[] {
    this.#sorted ??= [...this.#byId.values()]
      .sort((a, b) => a.name.localeCompare(b.name) || (a.id < b.id ? -1 : 1))
      .map(({ id }) => id);
    return this.#sorted.flatMap((id) => this.#byId.get(id) ?? []);
  }

  /** Returns the machine with this id, or those with this name. */
  called(idOrName: string): readonly StoredMachine[] {
    const byId = this.#byId.get(idOrName);
    return byId !== undefined ? [byId] : [...(this.#byName.get(idOrName)?.values() ?? [])];
  }

  keep(machine: StoredMachine): void {
    const before = this.#byId.get(machine.id);
    const sorted = before?.name === machine.name ? this.#sorted : undefined;
    this.forget(machine.id);
    this.#sorted = sorted;
    this.#byId.set(machine.id, machine);
    const namesakes = this.#byName.get(machine.name) ?? new Map<string, StoredMachine>();
    this.#byName.set(machine.name, namesakes.set(machine.id, machine));
  }

  forget(id: string): void {
    const machine = this.#byId.get(id);
    if (machine === undefined) return;
    this.#byId.delete(id);
    this.#sorted = undefined;
    const namesakes = this.#byName.get(machine.name);
    namesakes?.delete(id);
    if (namesakes?.size === 0) this.#byName.delete(machine.name);
  }
}
