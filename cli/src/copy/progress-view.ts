import type { TransferProgress } from "@cmdop/sdk";

/** Between two pictures on a terminal, and between two lines elsewhere, in milliseconds. */
const TERMINAL_EVERY_MS = 100;
const LINE_EVERY_MS = 10_000;

/** The rate is that of about this time, in milliseconds: steady, and yet soon right after a change. */
const RATE_OVER_MS = 5_000;

const BAR_COLUMNS = 20;

/** Where progress is shown: a terminal has columns. */
export interface ProgressOutput {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

/** How far a copy is: a bar on a terminal, now and then a line elsewhere, and a line at the end. */
export class ProgressView implements Disposable {
  readonly #output: ProgressOutput;
  readonly #quiet: boolean;
  readonly #now: () => number;
  readonly #startedAtMs: number;
  #last: TransferProgress = { bytes: 0, files: 0 };
  #shownAtMs: number;
  #rate: { atMs: number; bytes: number; bytesPerS: number };
  #isDrawn = false;

  constructor(output: ProgressOutput, quiet: boolean, now: () => number = () => performance.now()) {
    this.#output = output;
    this.#quiet = quiet;
    this.#now = now;
    this.#startedAtMs = now();
    this.#shownAtMs = this.#startedAtMs;
    this.#rate = { atMs: this.#startedAtMs, bytes: 0, bytesPerS: 0 };
  }

  readonly show = (progress: TransferProgress): void => {
    this.#last = progress;
    const every = this.#output.isTTY === true ? TERMINAL_EVERY_MS : LINE_EVERY_MS;
    if (this.#quiet || this.#now() - this.#shownAtMs < every) return;
    this.#shownAtMs = this.#now();
    this.#measure();
    const line = progressLine(progress, this.#rate.bytesPerS);
    if (this.#output.isTTY !== true) this.#output.write(`${line}\n`);
    else {
      this.#output.write(`\r${line.slice(0, (this.#output.columns ?? 80) - 1)}\u001b[K`);
      this.#isDrawn = true;
    }
  };

  /** Says what it came to. */
  done(): void {
    this.clear();
    if (this.#quiet) return;
    const { bytes, files } = this.#last;
    const elapsedS = Math.max(this.#now() - this.#startedAtMs, 1) / 1000;
    const what = files === 1 ? "1 file" : `${files} files`;
    const rate = sizeText(bytes / elapsedS);
    this.#output.write(`${what}, ${sizeText(bytes)} in ${timeText(elapsedS)} (${rate}/s)\n`);
  }

  /** Takes the bar away. */
  clear(): void {
    if (this.#isDrawn) this.#output.write("\r\u001b[K");
    this.#isDrawn = false;
  }

  [Symbol.dispose](): void {
    this.clear();
  }

  #measure(): void {
    const atMs = this.#now();
    const { bytes } = this.#last;
    const passedMs = Math.max(atMs - this.#rate.atMs, 1);
    const bytesPerS = ((bytes - this.#rate.bytes) / passedMs) * 1000;
    const share = this.#rate.bytesPerS === 0 ? 1 : Math.min(1, passedMs / RATE_OVER_MS);
    this.#rate = { atMs, bytes, bytesPerS: this.#rate.bytesPerS * (1 - share) + bytesPerS * share };
  }
}

/** `[#####-----]  50%  12.0 MiB of 24.0 MiB  4.0 MiB/s  3 s left`. */
export function progressLine({ bytes, totalBytes, files }: TransferProgress, bytesPerS: number): string {
  const rate = `${sizeText(bytesPerS)}/s`;
  if (totalBytes === undefined || totalBytes === 0) return `${sizeText(bytes)}  ${files} files  ${rate}`;
  // A file may grow between the list and its turn.
  const share = Math.min(1, bytes / totalBytes);
  const full = Math.floor(share * BAR_COLUMNS);
  const bar = `[${"#".repeat(full)}${"-".repeat(BAR_COLUMNS - full)}]`;
  const percent = `${Math.floor(share * 100)}%`.padStart(4);
  const left = bytesPerS > 0 ? `  ${timeText(Math.max(0, totalBytes - bytes) / bytesPerS)} left` : "";
  return `${bar} ${percent}  ${sizeText(bytes)} of ${sizeText(totalBytes)}  ${rate}${left}`;
}

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"] as const;

/** Bytes for people. */
export function sizeText(bytes: number): string {
  const power = bytes < 1 ? 0 : Math.min(Math.floor(Math.log2(bytes) / 10), UNITS.length - 1);
  const value = bytes / 1024 ** power;
  return `${power === 0 ? Math.round(value) : value.toFixed(1)} ${UNITS[power]}`;
}

/** A duration for people. */
export function timeText(seconds: number): string {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${Math.round(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.round(seconds % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
