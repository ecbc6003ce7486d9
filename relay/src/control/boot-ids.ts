/** Starts of one machine's agent that are remembered: a clone shows within the first few. */
const MAX_BOOTS_PER_MACHINE = 16;

/** What is known of one machine's starts. */
interface Boots {
  current: string;
  /** Starts that the current one has followed: none of them may come back, unless the current one is a clone. */
  readonly past: Set<string>;
  /** Starts that were found to be clones. */
  readonly clones: Set<string>;
}

/**
 * Tells a restart from a cloned identity. An agent that restarts shows a new
 * boot id and never again the old one. Where an old one comes back, two agents
 * share one identity: the newer of the two is the clone.
 */
export class BootIds {
  readonly #machines = new Map<string, Boots>();

  /** Takes note of a start. `clone`: this start is refused; `cloned`: the machine returned, and the start before it was a clone. */
  note(machineId: string, bootId: string): "fine" | "clone" | "cloned" {
    const boots = this.#machines.get(machineId);
    if (boots === undefined) {
      this.#machines.set(machineId, { current: bootId, past: new Set(), clones: new Set() });
      return "fine";
    }
    if (boots.clones.has(bootId)) return "clone";
    if (boots.current === bootId) return "fine";
    const isBack = boots.past.delete(bootId);
    remember(isBack ? boots.clones : boots.past, boots.current);
    boots.current = bootId;
    return isBack ? "cloned" : "fine";
  }
}

function remember(ids: Set<string>, id: string): void {
  ids.add(id);
  const [oldest] = ids;
  if (ids.size > MAX_BOOTS_PER_MACHINE && oldest !== undefined) ids.delete(oldest);
}
