import { CmdopError } from "@cmdop/proto";
import type { Log } from "../log.ts";
import type { Authenticator } from "./authenticate.ts";
import type { Budget } from "./budget.ts";
import { KEY_CHECK_INTERVAL_MS } from "./limits.ts";

/** Ends the open calls of keys that may not call any more: at once when the owners have said so, within a second when a grant has ended. */
export class KeyWatch {
  readonly #authenticator: Authenticator;
  readonly #budget: Budget;
  readonly #log: Log;
  readonly #timer: NodeJS.Timeout;
  #checking = 0;

  constructor(authenticator: Authenticator, budget: Budget, log: Log) {
    this.#authenticator = authenticator;
    this.#budget = budget;
    this.#log = log;
    this.#timer = setInterval(() => {
      // After another roster every grant is verified anew, which may take longer than a round.
      if (this.#checking === 0) this.check();
    }, KEY_CHECK_INTERVAL_MS);
    this.#timer.unref();
  }

  /** Holds every open call against its key as it stands now. */
  check(): void {
    for (const keyId of this.#budget.callers()) {
      this.#checking += 1;
      this.#authenticator
        .checkKey(keyId)
        .catch((thrown) => {
          const error = CmdopError.from(thrown);
          // A store that fails says nothing about the key.
          if (error.code === "Internal")
            this.#log.error("key check failed", { keyId, message: error.message });
          else this.#budget.endCalls(keyId, error);
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
