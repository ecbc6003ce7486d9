import { setImmediate } from "node:timers/promises";
import { within } from "@cmdop/kit";
import { CmdopError } from "@cmdop/proto";
import type { Link } from "../data/link.ts";
import type { Links } from "../data/links.ts";
import type { Log } from "../log.ts";
import { type Bringer, bringStatements } from "./bring-statements.ts";

/**
 * Most agents that are told at the same time. A roster may have 1 MiB, and each copy waits in the relay until
 * it is sent.
 */
const TOLD_AT_ONCE = 16;

/**
 * Longest wait of a caller that has changed something until the agents have heard of it, in milliseconds; an
 * agent that does not answer must not hold it up.
 */
const HEARD_WITHIN_MS = 1_000;

/**
 * Sends new statements to the agents that are connected. Agents that connect later get them with their
 * welcome.
 */
export class Announcer {
  readonly #bringer: Bringer;
  readonly #links: Links;
  readonly #log: Log;
  #telling: Promise<void> | undefined;

  constructor(bringer: Bringer, links: Links, log: Log) {
    this.#bringer = bringer;
    this.#links = links;
    this.#log = log;
  }

  /**
   * Sends the roster in force to every agent, and again if it changes meanwhile. Waits until they have heard,
   * or the time is over.
   */
  async announce(): Promise<void> {
    this.#telling ??= this.#tellAll().catch((thrown) =>
      this.#log.error("roster not announced", { message: String(thrown) }),
    );
    await within(this.#telling, HEARD_WITHIN_MS);
  }

  /** Sends one machine's agent the owner's new statement about it. Waits as `announce` does. */
  async announceRecord(machineId: string): Promise<void> {
    // A link whose greeting has just ended is in the table only after this.
    await setImmediate();
    const links = this.#linksOf(machineId);
    await within(Promise.all(links.map((link) => this.#tell(link))), HEARD_WITHIN_MS);
  }

  /** Ends the links of a machine that must leave. `reason`: is told to its calls. */
  async dismiss(machineId: string, reason: string): Promise<void> {
    await setImmediate();
    for (const link of this.#linksOf(machineId)) link.close(reason);
  }

  #linksOf(machineId: string): Link[] {
    return this.#links.up().filter((link) => {
      const state = link.state();
      return state.kind === "up" && state.admission.machineId === machineId;
    });
  }

  async #tellAll(): Promise<void> {
    try {
      let told: unknown;
      do {
        // A link whose greeting has just ended is in the table only after this.
        await setImmediate();
        told = this.#bringer.trust.roster();
        const waiting = [...this.#links.up()];
        const worker = async (): Promise<void> => {
          for (let link = waiting.pop(); link !== undefined; link = waiting.pop()) await this.#tell(link);
        };
        await Promise.all(Array.from({ length: TOLD_AT_ONCE }, worker));
      } while (this.#bringer.trust.roster() !== told);
    } finally {
      this.#telling = undefined;
    }
  }

  async #tell(link: Link): Promise<void> {
    try {
      await link.tell((session, { machineId }) => bringStatements(session, this.#bringer, machineId));
    } catch (thrown) {
      // The agent gets the statements with its next welcome.
      const { code, message } = CmdopError.from(thrown);
      this.#log.warn("agent did not take its statements", { code, message });
    }
  }
}
