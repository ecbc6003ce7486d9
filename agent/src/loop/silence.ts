import { SilentProvider } from "./failure.ts";

/** Aborts when the provider has been silent for too long. */
export class Silence implements Disposable {
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout;
  #isEnded = false;

  constructor(quietMs: number) {
    this.#timer = setTimeout(() => this.#controller.abort(new SilentProvider(quietMs)), quietMs);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Restarts the wait: the provider has sent something. */
  over(): void {
    if (!this.#isEnded) this.#timer.refresh();
  }

  /** Stops the wait for good. */
  end(): void {
    this.#isEnded = true;
    clearTimeout(this.#timer);
  }

  [Symbol.dispose](): void {
    this.end();
  }
}
