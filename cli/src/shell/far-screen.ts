import { pause } from "@cmdop/kit";
import { CmdopError, type ErrorCode, type Session } from "@cmdop/sdk";
import type { Size } from "./local-terminal.ts";

/** Time that the session keeps another size, in milliseconds: enough for its programs to notice. */
const NUDGE_MS = 100;

/**
 * Errors that are not reported: the size is sent again when the link is back, and an ended session needs
 * none.
 */
const PASSING: ReadonlySet<ErrorCode> = new Set([
  "LinkLost",
  "RelayUnreachable",
  "MachineOffline",
  "JobEnded",
]);

/** Keeps the session's screen at the size of this terminal: one call at a time, the newest size last. */
export class FarScreen {
  readonly #session: Pick<Session, "resize" | "screen">;
  readonly #wanted: () => Size;
  readonly #failed: (thrown: unknown) => void;
  #running: Promise<void> = Promise.resolve();

  constructor(
    session: Pick<Session, "resize" | "screen">,
    wanted: () => Size,
    failed: (thrown: unknown) => void,
  ) {
    this.#session = session;
    this.#wanted = wanted;
    this.#failed = failed;
  }

  /** Sends this terminal's size, after it has changed. */
  fit(): void {
    this.#then(async () => this.#resize(this.#wanted()));
  }

  /** Makes full-screen programs draw everything again, which they do only when the size changes. */
  nudge(): void {
    this.#then(async () => {
      const { cols, rows } = this.#wanted();
      await this.#resize({ cols, rows: rows > 1 ? rows - 1 : rows + 1 });
      await pause(NUDGE_MS, { ref: false });
      await this.#resize(this.#wanted());
    });
  }

  /**
   * Reads the text of a row, 1 being the first, after the earlier calls. Does nothing if the session has
   * another size.
   */
  readRow(row: number, use: (text: string) => void): void {
    this.#then(async () => {
      const { lines, rows } = await this.#session.screen();
      if (rows === this.#wanted().rows) use(lines[row - 1] ?? "");
    });
  }

  #then(next: () => Promise<void>): void {
    this.#running = this.#running.then(next).catch((thrown: unknown) => {
      if (!PASSING.has(CmdopError.from(thrown).code)) this.#failed(thrown);
    });
  }

  #resize({ cols, rows }: Size): Promise<void> {
    return this.#session.resize(cols, rows);
  }
}
