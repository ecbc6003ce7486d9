import { within } from "@cmdop/kit";
import type { Entry } from "../files/place/entry.ts";
import type { CopyProgress } from "../files/tree/copy-tree.ts";
import { toMessage } from "./files-messages.ts";

/** How often a copy says how far it is, in milliseconds. */
const REPORT_EVERY_MS = 250;

/** Does a piece of copying, tells how far it is now and then, and what was made in the end. Whoever stops listening does not stop it: its signal does. */
export async function* reported(work: (progress: CopyProgress) => Promise<Entry>) {
  const progress: CopyProgress = { bytes: 0n, entries: 0n };
  // Never rejects: it may fail while nobody waits for it.
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
