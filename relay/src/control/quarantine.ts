import type { MachineIdentity } from "@cmdop/proto";
import type { CallRecorder } from "../audit/call-recorder.ts";
import type { Log } from "../log.ts";
import type { Announcer } from "./announcer.ts";
import type { BootIds } from "./boot-ids.ts";
import type { Trust } from "./trust.ts";

/** Options of the quarantine. */
export interface QuarantineOptions {
  readonly trust: Trust;
  readonly bootIds: BootIds;
  readonly announcer: Pick<Announcer, "dismiss">;
  readonly recorder: Pick<CallRecorder, "quarantine">;
  readonly log: Log;
}

/**
 * Handles a machine whose key two agents have used. The genuine one can't be told apart, so neither is let in
 * and nothing is routed to it, across restarts of the relay too, until an owner has decided.
 */
export class Quarantine {
  readonly #options: QuarantineOptions;

  constructor(options: QuarantineOptions) {
    this.#options = options;
  }

  /** Begins a quarantine. `address`: the sender of the hello that revealed the clone. */
  async begin({ id, name }: MachineIdentity, address: string): Promise<void> {
    const { trust, announcer, recorder, log } = this.#options;
    if (trust.quarantinedSinceMs(id) !== undefined) return;
    log.error("machine quarantined: two agents use its key; neither is let in until its owner decides", {
      machine: name,
      id,
      address,
    });
    recorder.quarantine({ machine: id, machineName: name, state: "begun", address });
    const kept = trust.quarantine(id);
    await announcer.dismiss(id, "two agents use its key: the machine is quarantined");
    await kept;
  }

  async release({ id, name }: MachineIdentity): Promise<void> {
    const { trust, bootIds, recorder, log } = this.#options;
    if (trust.quarantinedSinceMs(id) === undefined) return;
    await trust.release(id);
    // The starts of the removed copy must not count against the one that stays.
    bootIds.forget(id);
    log.warn("machine released from quarantine by its owner", { machine: name, id });
    recorder.quarantine({ machine: id, machineName: name, state: "released", address: "" });
  }
}
