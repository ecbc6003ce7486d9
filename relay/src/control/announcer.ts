import { setImmediate } from "node:timers/promises";
import { CmdopError } from "@cmdop/proto";
import type { Link } from "../data/link.ts";
import type { Links } from "../data/links.ts";
import type { Log } from "../log.ts";
import { bringStatements } from "./greet.ts";
import type { Trust } from "./trust.ts";

/** Agents that are told at once: a roster may have 1 MiB, and each copy waits in the relay until it is sent. */
const TOLD_AT_ONCE = 16;

/** Brings a new roster to the agents that are connected; those that come later get it with their welcome. */
export class Announcer {
  readonly #trust: Trust;
  readonly #links: Links;
  readonly #log: Log;
  #running = false;

  constructor(trust: Trust, links: Links, log: Log) {
    this.#trust = trust;
    this.#links = links;
    this.#log = log;
  }

  /** Tells every agent the roster in force, and once more where it changes meanwhile. */
  announce(): void {
    if (this.#running) return;
    this.#running = true;
    this.#tellAll().catch((thrown) => this.#log.error("roster not announced", { message: String(thrown) }));
  }

  async #tellAll(): Promise<void> {
    try {
      let told: unknown;
      do {
        // A link whose greeting has just ended is in the table after this.
        await setImmediate();
        told = this.#trust.roster();
        const waiting = [...this.#links.up()];
        const worker = async (): Promise<void> => {
          for (let link = waiting.pop(); link !== undefined; link = waiting.pop()) await this.#tell(link);
        };
        await Promise.all(Array.from({ length: TOLD_AT_ONCE }, worker));
      } while (this.#trust.roster() !== told);
    } finally {
      this.#running = false;
    }
  }

  async #tell(link: Link): Promise<void> {
    try {
      await link.tell((session, { machineId }) => bringStatements(session, this.#trust, machineId));
    } catch (thrown) {
      // It is told with its next welcome.
      const { code, message } = CmdopError.from(thrown);
      this.#log.warn("agent did not take the roster", { code, message });
    }
  }
}
