import { existsSync, mkdirSync, readdirSync, renameSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { within } from "@cmdop/kit";
import { bytes32Schema, ChainLog, CmdopError, diskError, type PublicKey } from "@cmdop/proto";
import { z } from "zod";
import type { Log } from "../log.ts";
import type { AuditBounds } from "./bounds.ts";
import { KeptChain } from "./kept-chain.ts";

/** What the chains need. */
export interface ChainsOptions {
  /** Holds `relay`, and `machines` with a directory a machine and in it one a chain. */
  readonly directory: string;
  readonly bounds: AuditBounds;
  /** The public key of a machine that has joined. */
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

  /** Opens what is there. @throws CmdopError AuditUnavailable where the directory can't be used */
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

  /** The copies, in the order in which they began. */
  kept(): readonly KeptChain[] {
    return [...this.#kept.values()].sort((a, b) => a.origin.sinceMs - b.origin.sinceMs);
  }

  find(chain: string): KeptChain | undefined {
    return this.#kept.get(chain);
  }

  /** The chain that a machine has begun last. */
  newestOf(machine: string): KeptChain | undefined {
    return this.kept().findLast(({ origin }) => origin.machine === machine);
  }

  /** Begins the copy of a chain. @throws CmdopError LimitExceeded where its machine has too many, AuditBroken where another machine has it */
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
        `The machine ${machine} has begun ${count} audit chains; ${chainsPerMachine} are the most that this relay keeps.`,
        { next: `Find out why it begins anew, then move old chains away from ${this.#machines}.` },
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

  /** Keeps what a machine sent and what does not follow, as evidence; never merged into a copy. */
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

  /** Sets a copy aside whose files on this disk are damaged; what the machine still has can be fetched anew. */
  setAside(kept: KeptChain): void {
    const directory = this.#nextApart(kept.origin.machine);
    kept.close();
    if (directory === undefined) return;
    renameSync(kept.directory, directory);
    this.#kept.delete(kept.origin.chain);
  }

  /** Counts the changes: see waitForChange. */
  get version(): number {
    return this.#version;
  }

  /** Tells whoever waits that a chain has grown, or a new one was begun. */
  changed(): void {
    this.#version += 1;
    for (const wake of [...this.#waiting]) wake();
  }

  /** Whether the relay is shutting down: whoever follows is to leave. */
  get isEnding(): boolean {
    return this.#ending;
  }

  endFollowing(): void {
    this.#ending = true;
    this.changed();
  }

  /** Resolves when something has changed since this version, when the time is over, or the signal aborts. */
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

  /** The machines of which there are copies. */
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

  /** Whose a copy is stands in the names of its directories too: with the machine's key it is what it was; where the machine is not known any more, it stays as it lies. */
  #mend(machine: string, chain: string): void {
    const machineKey = this.#options.machineKey?.(machine);
    if (machineKey === undefined) return;
    const directory = path.join(this.#machines, machine, chain);
    const sinceMs = statSync(directory).birthtimeMs;
    const origin = { chain, machine, machineKey, sinceMs };
    this.#kept.set(chain, KeptChain.begin(directory, origin, this.#logOptions));
    this.#options.log.info("audit copy mended: its machine is known by its directory", { machine, chain });
  }

  /** Where the next piece of evidence goes; undefined when there is too much of it already. */
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
