import { visible } from "@cmdop/proto";
import type { TransferProgress } from "@cmdop/sdk";
import { sizeText, timeText } from "./units.ts";

/** Between two pictures, in milliseconds: they change also while nothing arrives. */
const PICTURE_EVERY_MS = 200;

/** The rate is that of about this time, in milliseconds: steady, and yet soon right after a change. */
const RATE_OVER_MS = 5_000;

/** Without a byte for as long as this, in milliseconds, nothing is said of a rate: what is not moving has none. */
const STALLED_AFTER_MS = 2_000;

const BAR_COLUMNS = 20;

/** Where progress is shown: a terminal has columns. */
export interface ProgressOutput {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

/** How far a copy is: on a terminal a bar, and a line at the end. Elsewhere only what a person must know is said. */
export class ProgressView implements Disposable {
  readonly #output: ProgressOutput;
  readonly #quiet: boolean;
  readonly #now: () => number;
  readonly #startedAtMs: number;
  readonly #timer: NodeJS.Timeout | undefined;
  readonly #away = new Map<string, number>();
  #last: TransferProgress = { bytes: 0, resumedBytes: 0, files: 0 };
  #movedAtMs: number;
  #rate: { atMs: number; bytes: number; bytesPerS: number };
  #isDrawn = false;
  #isStopped = false;

  constructor(output: ProgressOutput, quiet: boolean, now: () => number = () => performance.now()) {
    this.#output = output;
    this.#quiet = quiet;
    this.#now = now;
    this.#startedAtMs = now();
    this.#movedAtMs = this.#startedAtMs;
    this.#rate = { atMs: this.#startedAtMs, bytes: 0, bytesPerS: 0 };
    if (this.#isShown) this.#timer = setInterval(() => this.draw(), PICTURE_EVERY_MS);
  }

  readonly show = (progress: TransferProgress): void => {
    this.#last = progress;
    this.#movedAtMs = this.#now();
  };

  /** A machine can't be reached, or is back: said at once. */
  link(state: "lost" | "back", machine: string): void {
    if (state === "lost") this.#away.set(machine, this.#now());
    else this.#away.delete(machine);
    this.#movedAtMs = this.#now();
    if (this.#isShown) this.draw();
    else if (!this.#quiet && !this.#isStopped) this.#output.write(`cmdop: ${linkText(state, machine)}\n`);
  }

  /** Says something on a line of its own. */
  say(text: string): void {
    this.clear();
    if (!this.#quiet) this.#output.write(`${text}\n`);
  }

  /** Draws the picture as it is now. */
  draw(): void {
    this.#measure();
    const line = `${progressLine(this.#last, this.#stateText())}`;
    this.#output.write(`\r${fitting(line, (this.#output.columns ?? 80) - 1)}\u001b[K`);
    this.#isDrawn = true;
  }

  /** Says what it came to. */
  done(): void {
    this.clear();
    if (!this.#isShown) return;
    const { bytes, resumedBytes, files } = this.#last;
    const elapsedS = Math.max(this.#now() - this.#startedAtMs, 1) / 1000;
    const what = files === 1 ? "1 file" : `${files} files`;
    const rate = `${sizeText((bytes - resumedBytes) / elapsedS)}/s`;
    const resumed = resumedBytes > 0 ? `; ${sizeText(resumedBytes)} were there` : "";
    this.#output.write(`${what}, ${sizeText(bytes)} in ${timeText(elapsedS)} (${rate}${resumed})\n`);
  }

  /** Files that are there, of how many. */
  get files(): { readonly done: number; readonly total: number } {
    return { done: this.#last.files, total: this.#last.totalFiles ?? 1 };
  }

  /** Draws no more: what comes now is no progress. */
  stop(): void {
    clearInterval(this.#timer);
    this.clear();
    this.#isStopped = true;
  }

  /** Takes the bar away. */
  clear(): void {
    if (this.#isDrawn) this.#output.write("\r\u001b[K");
    this.#isDrawn = false;
  }

  [Symbol.dispose](): void {
    this.stop();
  }

  get #isShown(): boolean {
    return this.#output.isTTY === true && !this.#quiet && !this.#isStopped;
  }

  /** The rate and the time left; or why there is none. */
  #stateText(): string {
    for (const [machine, sinceMs] of this.#away) {
      return `waiting for ${visible(machine)} to come back, ${timeText((this.#now() - sinceMs) / 1000)}`;
    }
    const stalledMs = this.#now() - this.#movedAtMs;
    if (stalledMs >= STALLED_AFTER_MS) return `nothing moves for ${timeText(stalledMs / 1000)}`;
    const { bytesPerS } = this.#rate;
    const { bytes, totalBytes } = this.#last;
    const leftS = totalBytes === undefined || bytesPerS <= 0 ? undefined : (totalBytes - bytes) / bytesPerS;
    return `${sizeText(bytesPerS)}/s${leftS === undefined ? "" : `  ${timeText(Math.max(0, leftS))} left`}`;
  }

  #measure(): void {
    const atMs = this.#now();
    const bytes = this.#last.bytes - this.#last.resumedBytes;
    const passedMs = Math.max(atMs - this.#rate.atMs, 1);
    const bytesPerS = ((bytes - this.#rate.bytes) / passedMs) * 1000;
    const share = this.#rate.bytesPerS === 0 ? 1 : Math.min(1, passedMs / RATE_OVER_MS);
    this.#rate = { atMs, bytes, bytesPerS: this.#rate.bytesPerS * (1 - share) + bytesPerS * share };
  }
}

function linkText(state: "lost" | "back", machine: string): string {
  const name = visible(machine);
  return state === "lost"
    ? `${name} can't be reached, waiting for it to come back`
    : `${name} is back, going on`;
}

/** `[#####-----]  50%  12.0 MiB of 24.0 MiB  4.0 MiB/s  3 s left`, and of several files which one is under way. */
export function progressLine(progress: TransferProgress, state: string): string {
  const { bytes, totalBytes, files, totalFiles = 1, current } = progress;
  const parts = [state];
  if (totalBytes === undefined || totalBytes === 0) parts.unshift(sizeText(bytes));
  else {
    // A file may grow between the list and its turn.
    const share = Math.min(1, bytes / totalBytes);
    const full = Math.floor(share * BAR_COLUMNS);
    const bar = `[${"#".repeat(full)}${"-".repeat(BAR_COLUMNS - full)}]`;
    const percent = `${Math.floor(share * 100)}%`.padStart(4);
    parts.unshift(`${bar} ${percent}`, `${sizeText(bytes)} of ${sizeText(totalBytes)}`);
  }
  if (totalFiles > 1) parts.push(`${files} of ${totalFiles} files`);
  if (totalFiles > 1 && current !== undefined) {
    const { totalBytes: size = 0 } = current;
    const share = size > 0 ? ` ${Math.floor(Math.min(1, current.bytes / size) * 100)}%` : "";
    parts.push(`${visible(current.path)}${share}`);
  }
  return parts.join("  ");
}

/** A line cut to so many columns. Beyond ASCII a character may take two. */
function fitting(line: string, columns: number): string {
  let width = 0;
  let text = "";
  for (const character of line) {
    width += /[ -~]/.test(character) ? 1 : 2;
    if (width > columns) break;
    text += character;
  }
  return text;
}
