import { CmdopError } from "@cmdop/proto";
import type { Begun, Notes } from "../files/unfinished/unfinished-log.ts";
import type { Report } from "./told.ts";

/** What is unfinished, as the process knows it: the agent writes it down, in its state, which the process may not enter. */
export class ToldNotes implements Notes {
  readonly #tell: (report: Report) => void;
  readonly #begun: Map<string, Begun>;
  readonly #waiting = new Map<number, PromiseWithResolvers<void>>();
  #lastId = 0;

  constructor(begun: Iterable<readonly [string, Begun]>, tell: (report: Report) => void) {
    this.#begun = new Map(begun);
    this.#tell = tell;
  }

  get begun(): ReadonlyMap<string, Begun> {
    return this.#begun;
  }

  async begin(name: string, begun: Begun): Promise<void> {
    this.#lastId += 1;
    const id = this.#lastId;
    const waiting = Promise.withResolvers<void>();
    this.#waiting.set(id, waiting);
    this.#begun.set(name, begun);
    this.#tell({ kind: "begin", id, name, begun });
    try {
      await waiting.promise;
    } catch (thrown) {
      this.#begun.delete(name);
      throw thrown;
    }
  }

  /** The agent's answer. */
  noted(id: number, failure: string | undefined): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (failure === undefined) waiting?.resolve();
    else waiting?.reject(new CmdopError("Internal", `What is begun can't be written down: ${failure}`));
  }

  end(name: string): void {
    if (this.#begun.delete(name)) this.#tell({ kind: "over", name });
  }
}
