import { existsSync, mkdirSync, readdirSync, renameSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { within } from "@cmdop/kit";
import { bytes32Schema, ChainLog, CmdopError, diskError, type PublicKey } from "@cmdop/proto";
import { z } from "zod";
import type { Log } from "../log.ts";
import type { AuditBounds } from "./bounds.ts";
import { KeptChain } from "./kept-chain.ts";

/** Options of the chains. */
export interface ChainsOptions {
  /**
   * Directory with `relay`, and `machines`, which has a directory for each machine and in it one for each
   * chain.
   */
  readonly directory: string;
  readonly bounds: AuditBounds;
  /** Returns the public key of a machine that has joined. */
  readonly machineKey?: ((machineId: string) => PublicKey | undefined) | undefined;
  readonly log: Log;
}

const APART = /^apart-\d+$/;

/** The relay's own chain, and its copies of the machines' chains. */
export class Chains {
  readonly own: ChainLog;
  readonly #options: ChainsOptions;
  readonly #kept = new Map<string, KeptChain>();
  readonly #waiting = new Set<() => void>();
  #version = 0;
  #ending = false;

  /** Opens the existing chains. @throws CmdopError AuditUnavailable where the directory can't be used */
  constructor(options: ChainsOptions) {
    this.#options = options;
    const { directory, bounds } = options;
    try {
      this.own = ChainLog.open({
        directory: path.join(directory, "relay"),
        limits: bounds.relayChain,
        onTrouble: (message) => options.log.error("audit trouble", { message }),
      });
      for (const machine of this.#known()) this.#find(machine);
    } catch (thrown) {
      if (thrown instanceof CmdopError) throw thrown;
      throw new CmdopError(
        "AuditUnavailable",
        `The audit files in ${directory} can't be opened: ${String(thrown)}.`,
        {
          next: "Check owner and mode of the directory, and that the disk has room.",
          cause: thrown,
        },
      );
    }
  }

  /** Returns the copies, in the order in which they began. */
  kept(): readonly KeptChain[] {
    return [...this.#kept.values()].sort((a, b) => a.origin.sinceMs - b.origin.sinceMs);
  }

  find(chain: string): KeptChain | undefined {
    return this.#kept.get(chain);
  }

  /** Returns the newest chain of a machine. */
  newestOf(machine: string): KeptChain | undefined {
    return this.kept().findLast(({ origin }) => origin.machine === machine);
  }

  /**
   * Begins the copy of a chain, or returns the existing one.
   * @throws CmdopError LimitExceeded where its machine has too many, AuditBroken where another machine has it
   */
  begin(machine: string, machineKey: PublicKey, chain: string): KeptChain {
    const { chainsPerMachine } = this.#options.bounds;
    const there = this.#kept.get(chain);
    if (there !== undefined && there.origin.machine !== machine) {
      throw new CmdopError("AuditBroken", `The audit chain ${chain} belongs to another machine.`);
    }
    if (there !== undefined) return there;
    const count = this.kept().filter(({ origin }) => origin.machine === machine).length;
    if (count >= chainsPerMachine) {
      throw new CmdopError(
        "LimitExceeded",
        `The machine ${machine} has begun ${count} audit chains; this relay keeps at most ${chainsPerMachine}.`,
        { next: `Find out why it begins new chains, then move old chains away from ${this.#machines}.` },
      );
    }
    const directory = path.join(this.#machines, machine, chain);
    makeDirectory(directory);
    const begun = KeptChain.begin(
      directory,
      { chain, machine, machineKey, sinceMs: Date.now() },
      this.#logOptions,
    );
    this.#kept.set(chain, begun);
    return begun;
  }

  /** Keeps a machine's batch that does not follow as evidence; it is never merged into a copy. */
  keepApart(machine: string, evidence: object): void {
    const directory = this.#nextApart(machine);
    if (directory === undefined) return;
    makeDirectory(directory);
    const file = path.join(directory, "evidence.json");
    try {
      writeFileSync(file, JSON.stringify(evidence), { mode: 0o600 });
    } catch (thrown) {
      throw diskError(thrown, "write", file);
    }
  }

  /**
   * Sets aside a copy whose files on this disk are damaged. The records that the machine still has can be
   * fetched again.
   */
  setAside(kept: KeptChain): void {
    const directory = this.#nextApart(kept.origin.machine);
    kept.close();
    if (directory === undefined) return;
    renameSync(kept.directory, directory);
    this.#kept.delete(kept.origin.chain);
  }

  /** Number of changes so far; see waitForChange. */
  get version(): number {
    return this.#version;
  }

  /** Wakes the waiting readers: a chain has grown, or a new one was begun. */
  changed(): void {
    this.#version += 1;
    for (const wake of [...this.#waiting]) wake();
  }

  /** True if the relay is shutting down, so that followers must leave. */
  get isEnding(): boolean {
    return this.#ending;
  }

  endFollowing(): void {
    this.#ending = true;
    this.changed();
  }

  /** Waits until something has changed since this version, the time is over, or the signal aborts. */
  async waitForChange(version: number, timeoutMs: number, signal: AbortSignal): Promise<void> {
    if (this.#version !== version || signal.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.add(resolve);
    await within(promise, timeoutMs, { signal });
    this.#waiting.delete(resolve);
  }

  close(): void {
    this.own.close();
    for (const kept of this.#kept.values()) kept.close();
    for (const wake of [...this.#waiting]) wake();
  }

  get #machines(): string {
    return path.join(this.#options.directory, "machines");
  }

  get #logOptions() {
    const { bounds, log } = this.#options;
    return {
      limits: bounds.machineChain,
      onTrouble: (message: string) => log.error("audit trouble", { message }),
    };
  }

  /** Returns the machines that have copies here. */
  #known(): string[] {
    return existsSync(this.#machines) ? readdirSync(this.#machines).filter(isMachineId) : [];
  }

  #find(machine: string): void {
    const home = path.join(this.#machines, machine);
    for (const chain of readdirSync(home).filter((name) => z.uuid().safeParse(name).success)) {
      try {
        const found = KeptChain.found(path.join(home, chain), this.#logOptions);
        if (found !== undefined) this.#kept.set(chain, found);
      } catch (thrown) {
        if (!(thrown instanceof CmdopError)) throw thrown;
        this.#options.log.error("audit copy damaged", { machine, chain, message: thrown.message });
        this.#mend(machine, chain);
      }
    }
  }

  /**
   * Restores the origin of a copy from the names of its directories and the machine's key. The copy of a
   * machine that is no longer known is left as it is.
   */
  #mend(machine: string, chain: string): void {
    const machineKey = this.#options.machineKey?.(machine);
    if (machineKey === undefined) return;
    const directory = path.join(this.#machines, machine, chain);
    const sinceMs = statSync(directory).birthtimeMs;
    const origin = { chain, machine, machineKey, sinceMs };
    this.#kept.set(chain, KeptChain.begin(directory, origin, this.#logOptions));
    this.#options.log.info("audit copy mended: its machine is known by its directory", { machine, chain });
  }

  /** Returns the directory for the next piece of evidence; undefined when there is too much of it already. */
  #nextApart(machine: string): string | undefined {
    const home = path.join(this.#machines, machine);
    const count = existsSync(home) ? readdirSync(home).filter((name) => APART.test(name)).length : 0;
    if (count < this.#options.bounds.apartPerMachine) return path.join(home, `apart-${count + 1}`);
    this.#options.log.error("no more evidence is kept of this machine", { machine, count });
    return undefined;
  }
}

function makeDirectory(directory: string): void {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  } catch (thrown) {
    throw diskError(thrown, "make", directory);
  }
}

function isMachineId(name: string): boolean {
  return bytes32Schema.safeParse(name).success;
}
