/**
 * Most starts of one machine's agent that are remembered: 150 bytes each, so 40 KiB if somebody invents new
 * ones all the time.
 */
const MAX_BOOTS_PER_MACHINE = 256;

/**
 * Shortest time of a start, from the end of the one before it to its hello, in milliseconds: Node alone needs
 * longer.
 */
const MIN_BOOT_MS = 100;

/** One start of a machine's agent, with the moments at which it was certainly alive. */
interface Boot {
  readonly atMs: number;
  /** It was alive before this moment, since its first hello had arrived. */
  readonly seenBy: number;
  /** It was alive after this moment, since it has answered a challenge made then. */
  aliveAfter: number;
}

/**
 * Distinguishes a restart from a cloned identity. An honest machine's agents live one after the other. A
 * start has lived beside another one if it answered a challenge made after the other had shown itself, and
 * had itself been seen before the other last did so: then two agents share one identity. No single hello
 * decides, so a restart, three lanes that return at different times, and a hello that was long on its way are
 * never taken for a clone.
 */
export class BootIds {
  readonly #nowMs: () => number;
  readonly #machines = new Map<string, Map<string, Boot>>();
  #moment = 0;

  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
  }

  /** Returns a moment, to be taken before an agent is challenged: its answer is younger. */
  moment(): number {
    this.#moment += 1;
    return this.#moment;
  }

  /**
   * Records a start that has answered a challenge. `newest`: it is the machine as far as is known; `stale`:
   * it answered before another start did, and was long on its way; `cloned`: two agents share the identity.
   */
  note(machineId: string, bootId: string, challengedAt: number): "newest" | "stale" | "cloned" {
    const boots = this.#machines.get(machineId) ?? new Map<string, Boot>();
    this.#machines.set(machineId, boots);
    const boot = boots.get(bootId) ?? {
      atMs: this.#nowMs(),
      seenBy: this.moment(),
      aliveAfter: challengedAt,
    };
    boot.aliveAfter = Math.max(boot.aliveAfter, challengedAt);
    boots.set(bootId, boot);
    const others = [...boots.values()].filter((other) => other !== boot);
    const livesBeside = others.some(
      (other) => other.seenBy <= boot.aliveAfter && boot.seenBy <= other.aliveAfter,
    );
    if (livesBeside || this.#isTooMany(boots)) return "cloned";
    return others.some((other) => other.aliveAfter > challengedAt) ? "stale" : "newest";
  }

  /** Forgets the starts of a machine, because it was removed or its owner has decided. */
  forget(machineId: string): void {
    this.#machines.delete(machineId);
  }

  /**
   * Forgets the oldest start if there are too many. Returns true if no honest machine could have made them in
   * that time.
   */
  #isTooMany(boots: Map<string, Boot>): boolean {
    const [oldest] = boots;
    if (boots.size <= MAX_BOOTS_PER_MACHINE || oldest === undefined) return false;
    boots.delete(oldest[0]);
    return this.#nowMs() - oldest[1].atMs < MAX_BOOTS_PER_MACHINE * MIN_BOOT_MS;
  }
}
