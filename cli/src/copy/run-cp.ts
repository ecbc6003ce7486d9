import {
  CMDOPClient,
  CmdopError,
  type Files,
  KEPT_TEXT,
  type SkippedPath,
  systemPath,
  type TransferResult,
  type UploadOptions,
  type WrittenFile,
} from "@cmdop/sdk";
import { EXIT_FAILURE, EXIT_OK, failedWith } from "../console/exit.ts";
import { jsonLine } from "../console/json-line.ts";
import { report } from "../console/output.ts";
import { printable } from "../console/printable.ts";
import { terminationSignal } from "../console/signals.ts";
import { EXIT_INTERRUPTED } from "../jobs/exit-codes.ts";
import { isUnknownMachine, machineMeant } from "../machines/on-machine.ts";
import type { CopyEnd } from "./copy-end.ts";
import { findDestination } from "./destination.ts";
import { findSources, type SourceGroup } from "./find-sources.ts";
import { ProgressView } from "./progress-view.ts";

/** What was passed over is named up to here; then only counted. */
const MAX_NAMED = 20;

/** How long a copy that is interrupted may clean up before it is said that this takes time, in milliseconds. */
const ENDING_IS_LONG_MS = 500;

interface RunOptions {
  readonly recursive: boolean;
  readonly preserve: boolean;
  readonly resume?: boolean;
  readonly overwrite: boolean;
  readonly ifMatch?: string;
  readonly quiet?: boolean;
  readonly json?: boolean;
}

/** Copies; the exit code to end with. */
export async function runCp(
  sources: readonly CopyEnd[],
  destination: CopyEnd,
  options: RunOptions,
): Promise<number> {
  const { quiet = false, json = false } = options;
  using view = new ProgressView(process.stderr, quiet || json);
  const signal = terminationSignal(() => {
    view.clear();
    report(`left at once. ${leftBehind(destination, options)}`);
  });
  const startedAtMs = performance.now();
  try {
    await using client = CMDOPClient.fromProfile();
    const copy = (ends: CopyEnds): Promise<TransferResult> =>
      new Copy(client, ends.destination, options, view, signal).run(ends.sources);
    const result = await copy({ sources, destination }).catch(async (thrown) => {
      if (!isUnknownMachine(thrown)) throw thrown;
      return await copy(await endsMeant(client, { sources, destination }));
    });
    view.done();
    if (json) {
      const durationMs = Math.round(performance.now() - startedAtMs);
      process.stdout.write(jsonLine({ ...result, durationMs }));
    }
    reportWritten(result.written);
    return reportSkipped(result.skipped);
  } catch (thrown) {
    view.clear();
    if (!signal.aborted) return failedWith(thrown, EXIT_FAILURE);
    report(`interrupted. ${interruptedText(thrown, view)}`);
    return EXIT_INTERRUPTED;
  }
}

/** The two sides of a copy. */
interface CopyEnds {
  readonly sources: readonly CopyEnd[];
  readonly destination: CopyEnd;
}

/** The same ends with the ids of machines that were named by how their ids begin. */
async function endsMeant(client: CMDOPClient, { sources, destination }: CopyEnds): Promise<CopyEnds> {
  const { machines } = await client.whoAmI();
  const named = (end: CopyEnd): CopyEnd =>
    end.machine === undefined ? end : { ...end, machine: machineMeant(end.machine, machines) };
  return { sources: sources.map(named), destination: named(destination) };
}

/** One command's work: each group of sources that are on one machine, or here, is one transfer. */
class Copy {
  readonly #client: CMDOPClient;
  readonly #destination: CopyEnd;
  readonly #options: RunOptions;
  readonly #view: ProgressView;
  readonly #signal: AbortSignal;
  readonly #skipped: SkippedPath[] = [];
  readonly #written: WrittenFile[] = [];

  constructor(
    client: CMDOPClient,
    destination: CopyEnd,
    options: RunOptions,
    view: ProgressView,
    signal: AbortSignal,
  ) {
    this.#client = client;
    this.#destination = destination;
    this.#options = options;
    this.#view = view;
    this.#signal = signal;
    signal.addEventListener("abort", () => this.#ending(), { once: true });
  }

  async run(sources: readonly CopyEnd[]): Promise<TransferResult> {
    const filesOf = (machine: string): Files => this.#client.machine(machine).files;
    const groups = await findSources(sources, filesOf, this.#signal, (message) => {
      this.#skipped.push({ path: "", reason: "failed", message });
    });
    if (groups.length === 0)
      throw new CmdopError("NotFound", this.#skipped[0]?.message ?? "There is nothing to copy.");
    const all = groups.flatMap(({ paths }) => paths);
    const { machine } = this.#destination;
    const to = machine === undefined ? undefined : filesOf(machine);
    const { path, takesNames } = await findDestination(to, this.#destination.path, all);
    let sum: TransferResult = { bytes: 0, files: 0, skipped: [] };
    for (const group of groups) {
      const { bytes, files, ...result } = await this.#transfer(group, takesNames, to, path, sum);
      this.#skipped.push(...result.skipped);
      this.#written.push(...(result.written ?? []));
      sum = { ...result, bytes: sum.bytes + bytes, files: sum.files + files };
    }
    const unusual = this.#written.length === 0 ? {} : { written: this.#written };
    return { ...sum, skipped: this.#skipped, ...unusual };
  }

  #transfer(
    { machine, paths }: SourceGroup,
    takesNames: boolean,
    to: Files | undefined,
    destination: string,
    before: TransferResult,
  ): Promise<TransferResult> {
    const from = machine === undefined ? undefined : this.#client.machine(machine).files;
    const [only] = paths;
    const source = takesNames || only === undefined ? paths : only;
    const { recursive, preserve, resume, overwrite, ifMatch } = this.#options;
    const settings: UploadOptions = {
      recursive,
      preserve,
      resume,
      overwrite,
      ifMatch,
      signal: this.#signal,
      onProgress: (progress) => {
        const bytes = before.bytes + progress.bytes;
        const total =
          progress.totalBytes === undefined ? {} : { totalBytes: before.bytes + progress.totalBytes };
        this.#view.show({ ...progress, bytes, ...total, files: before.files + progress.files });
      },
      onLink: (state, end) => {
        this.#view.link(state, (end === "source" ? machine : this.#destination.machine) ?? "");
      },
    };
    if (from !== undefined && to !== undefined) return from.transfer(source, to, destination, settings);
    if (from !== undefined) return from.download(source, systemPath(destination), settings);
    if (to !== undefined)
      return to.upload(
        typeof source === "string" ? systemPath(source) : source.map(systemPath),
        destination,
        settings,
      );
    throw new CmdopError("InvalidArgument", "Both paths are here.");
  }

  /** Says that the end may take a moment, where it does. */
  #ending(): void {
    this.#view.stop();
    const timer = setTimeout(
      () => this.#view.say("cmdop: removing what has not arrived whole; Ctrl-C again leaves at once"),
      ENDING_IS_LONG_MS,
    );
    timer.unref();
  }
}

/** What stays where a copy ends without cleaning up. */
function leftBehind({ machine }: CopyEnd, { resume = false }: RunOptions): string {
  if (resume) return "What has arrived may be kept to go on with.";
  return machine === undefined
    ? "A hidden file .cmdop-part-* may be left beside the destination."
    : `What has not arrived whole, ${printable(machine)} removes by itself ${KEPT_TEXT}.`;
}

function interruptedText(thrown: unknown, view: ProgressView): string {
  const { done, total } = view.files;
  const there = total > 1 ? ` ${done} of ${total} files are there.` : "";
  const error = CmdopError.from(thrown);
  return `${printable(error.message)}${there}`;
}

/** Says which files were not simply replaced at once, and why. */
function reportWritten(written: readonly WrittenFile[] = []): void {
  for (const { path, message } of written.slice(0, MAX_NAMED)) {
    report(`${printable(path)}: ${printable(message)}`);
  }
  if (written.length > MAX_NAMED) {
    report(`so were ${written.length - MAX_NAMED} more`);
  }
}

function reportSkipped(skipped: readonly SkippedPath[]): number {
  for (const { path, message } of skipped.slice(0, MAX_NAMED)) {
    const named = path === "" ? "" : `${printable(path)}: `;
    report(`passed over ${named}${printable(message)}`);
  }
  if (skipped.length > MAX_NAMED) {
    report(`passed over ${skipped.length - MAX_NAMED} more`);
  }
  return skipped.length === 0 ? EXIT_OK : EXIT_FAILURE;
}
