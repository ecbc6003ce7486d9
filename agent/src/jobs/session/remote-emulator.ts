import { GaveUp, type Thread } from "../../threads/thread.ts";
import type { Screen, Text } from "./emulator.ts";
import type { Answer, Question } from "./emulator-messages.ts";
import type { TerminalSize } from "./request.ts";

/** How long the answer to one question may take in all. The most that is replayed for one takes some 0.2 s. */
export const MAX_EMULATION_MS = 5_000;

/** The time that one question has, and where it is worked on. */
export class Work {
  readonly #thread: Thread<Answer>;
  #leftMs = MAX_EMULATION_MS;

  constructor(thread: Thread<Answer>) {
    this.#thread = thread;
  }

  /** @throws GaveUp */
  async ask(question: Question): Promise<Answer> {
    const sinceMs = performance.now();
    const answer = await this.#thread.ask(question, this.#leftMs);
    this.#leftMs = Math.max(1, this.#leftMs - (performance.now() - sinceMs));
    if (answer.kind === "failed") throw new GaveUp(`failed: ${answer.why}`);
    return answer;
  }
}

/** A terminal that is emulated in the thread. */
export class RemoteEmulator {
  static #count = 0;
  readonly #id: number;
  #size: TerminalSize;

  private constructor(id: number, size: TerminalSize) {
    this.#id = id;
    this.#size = size;
  }

  static async open(work: Work, size: TerminalSize): Promise<RemoteEmulator> {
    RemoteEmulator.#count += 1;
    const emulator = new RemoteEmulator(RemoteEmulator.#count, size);
    await work.ask({ id: emulator.#id, kind: "open", size });
    return emulator;
  }

  get size(): TerminalSize {
    return this.#size;
  }

  async write(work: Work, bytes: Uint8Array): Promise<void> {
    await work.ask({ id: this.#id, kind: "write", bytes });
  }

  async resize(work: Work, size: TerminalSize): Promise<void> {
    this.#size = size;
    await work.ask({ id: this.#id, kind: "resize", size });
  }

  async screen(work: Work): Promise<Screen> {
    const answer = await work.ask({ id: this.#id, kind: "screen" });
    if (answer.kind === "screen") return answer.screen;
    throw new GaveUp("failed: its thread answered out of turn");
  }

  async text(work: Work, maxLines: number): Promise<Text> {
    const answer = await work.ask({ id: this.#id, kind: "text", maxLines });
    if (answer.kind === "text") return answer.text;
    throw new GaveUp("failed: its thread answered out of turn");
  }

  dispose(thread: Thread<Answer>): void {
    thread.tell({ id: this.#id, kind: "close" } satisfies Question);
  }
}
