import { CmdopError } from "@cmdop/proto";
import type { Log } from "../log.ts";
import type { Authenticator } from "./authenticate.ts";
import type { Budget } from "./budget.ts";
import type { Directory } from "./directory.ts";
import type { Times } from "./limits.ts";

/** What the watch needs. */
export interface KeyWatchOptions {
  readonly directory: Directory;
  readonly authenticator: Authenticator;
  readonly budget: Budget;
  readonly times: Times;
  readonly log: Log;
}

/** Ends the open calls of keys that may not call any more: at once when the owners have said so, within a second when a grant has ended. */
export class KeyWatch {
  readonly #options: KeyWatchOptions;
  readonly #timer: NodeJS.Timeout;
  #checking = 0;

  constructor(options: KeyWatchOptions) {
    this.#options = options;
    this.#timer = setInterval(() => {
      // Also where nothing is open: a jump of the clock is found by looking often.
      options.directory.steadyS();
      // After another roster every grant is verified anew, which may take longer than a round.
      if (this.#checking === 0) this.check();
    }, options.times.keyCheckIntervalMs);
    this.#timer.unref();
  }

  /** Holds every open call against its key as it stands now. */
  check(): void {
    const { authenticator, budget, log } = this.#options;
    for (const keyId of budget.callers()) {
      this.#checking += 1;
      authenticator
        .checkKey(keyId)
        .catch((thrown) => {
          const error = CmdopError.from(thrown);
          // A store that fails says nothing about the key.
          if (error.code === "Internal") log.error("key check failed", { keyId, message: error.message });
          else budget.endCalls(keyId, error);
        })
        .finally(() => {
          this.#checking -= 1;
        });
    }
  }

  close(): void {
    clearInterval(this.#timer);
  }
}
