import { within } from "@cmdop/kit";
import type { Entry } from "../files/place/entry.ts";
import type { CopyProgress } from "../files/tree/copy-tree.ts";
import { toMessage } from "./files-messages.ts";

/** Interval of a copy's progress reports, in milliseconds. */
const REPORT_EVERY_MS = 250;

/**
 * Runs a copy, and yields its progress at intervals and its result at the end. The copy does not stop when
 * the reader leaves, but when its signal aborts.
 */
export async function* reported(work: (progress: CopyProgress) => Promise<Entry>) {
  const progress: CopyProgress = { bytes: 0n, entries: 0n };
  // Never rejects, because it may fail while nobody awaits it.
  const working = work(progress).then(
    (entry) => ({ entry }),
    (thrown: unknown) => ({ thrown }),
  );
  for (;;) {
    const settled = await within(working, REPORT_EVERY_MS);
    if (settled === undefined) {
      yield { progress: { ...progress } };
      continue;
    }
    if ("thrown" in settled) throw settled.thrown;
    yield { progress: { ...progress }, entry: toMessage(settled.entry) };
    return;
  }
}
