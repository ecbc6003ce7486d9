import { Shares } from "../../shares/shares.ts";
import { HungStarts } from "./hung-starts.ts";
import { mountsMayHang } from "./mounts.ts";
import { PipePool } from "./pipe-pool.ts";
import { Spawner } from "./spawner.ts";
import type { StartContext } from "./start-process.ts";

/**
 * Starts that are in the spawner's hands at once, shared among the keys: enough to keep it busy while the agent does
 * other things, and few enough that a key's first start waits for no more than some milliseconds of others'.
 */
const STARTS_AT_ONCE = 8;

/** How processes are started, where it differs from what the machine has. */
export interface StarterOptions {
  /** Whether a small helper process starts the commands (Linux only), so that the agent's own memory does not slow each start. By default it does. */
  readonly spawner?: boolean | undefined;
  /** Whether a file system of this machine may keep waiting whoever touches it; by default its mounts tell. */
  readonly mayHang?: (() => boolean) | undefined;
}

/** What all starts of the machine share. The constructor starts nothing. */
export class Starter {
  readonly #spawner: Spawner;
  readonly #pipes: PipePool;
  readonly #hungStarts = new HungStarts();
  readonly #starts = new Shares({ capacity: STARTS_AT_ONCE, what: "starts", next: "Try again in a moment." });
  readonly #mayHang: () => boolean;

  constructor({ spawner = true, mayHang = mountsMayHang }: StarterOptions) {
    this.#spawner = new Spawner({ enabled: spawner });
    this.#pipes = new PipePool(this.#spawner);
    this.#mayHang = mayHang;
  }

  /** Makes ready what the first start would otherwise wait for. */
  async warm(): Promise<void> {
    await this.#spawner.warm();
    await this.#pipes.warm();
  }

  /** With what a key's processes are started. */
  contextOf(keyId: string): Omit<StartContext, "limits"> {
    return {
      keyId,
      spawner: this.#spawner,
      pipes: this.#pipes,
      hungStarts: this.#hungStarts,
      turn: (signal) => this.#starts.enter(keyId, signal),
      mayHang: this.#mayHang,
    };
  }

  /** What it had started runs on. */
  async close(): Promise<void> {
    await this.#spawner.close();
    await this.#pipes.close();
  }
}
