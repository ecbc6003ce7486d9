import { pause } from "@cmdop/kit";
import { CmdopError } from "@cmdop/proto";
import type { Directory } from "../data/directory.ts";
import type { Chains } from "./chains.ts";
import { Cursor, type MergedRecord, merged } from "./merge.ts";
import { type Condition, RecordFilter } from "./record-filter.ts";
import type { Turns } from "./turns.ts";
import { View, type Viewer } from "./view.ts";

/** Pause between two looks whether a long query may go on, in milliseconds: a revoked key's ends within two seconds. */
const CHECK_INTERVAL_MS = 1_000;

/** Pause of a follower between two looks, in milliseconds: each looks through all chains, and under load there is always something new. */
const FOLLOW_INTERVAL_MS = 50;

/** What a query needs. */
export interface QueryOptions {
  readonly chains: Chains;
  readonly directory: Directory;
  /** All queries of the relay take turns. */
  readonly turns: Turns;
  /** Who asks, as it stands now; throws when it may not ask any more. */
  readonly viewer: () => Promise<Viewer>;
  readonly condition: Condition;
  readonly follow: boolean;
  readonly signal: AbortSignal;
}

/**
 * The records that match, from all chains that the caller may see: the oldest
 * first, by the clocks of their makers; then, when it follows, as they come.
 * @throws CmdopError AuditBroken after all else, where files are damaged; RelayUnreachable to followers when the relay ends; what `viewer` throws
 */
export async function* query(options: QueryOptions): AsyncGenerator<MergedRecord> {
  const { chains, directory, turns, condition, signal } = options;
  let view = new View(directory, await options.viewer());
  let checkedAtMs = performance.now();
  const checkAgain = async (): Promise<void> => {
    if (performance.now() - checkedAtMs < CHECK_INTERVAL_MS) return;
    view = new View(directory, await options.viewer());
    checkedAtMs = performance.now();
  };
  const cursors = new Map<string, Cursor>();
  const lookForChains = (): void => {
    const sees = (machineId: string | undefined): boolean =>
      machineId === undefined || view.seesMachine(machineId);
    const note = (chain: string, machineId: string | undefined, log: Cursor["source"]["log"]): void => {
      if (cursors.has(chain) || !sees(machineId)) return;
      const filter = new RecordFilter(() => view, condition, machineId);
      if (filter.mayMatch) cursors.set(chain, new Cursor({ chain, machineId, log, filter }));
    };
    note(chains.own.chain, undefined, () => chains.own);
    for (const kept of chains.kept()) {
      // A copy that is set aside is begun anew under the same id.
      note(kept.origin.chain, kept.origin.machine, () => (chains.find(kept.origin.chain) ?? kept).log);
    }
    // What was visible may have been withdrawn: by another grant, or another name or label of the machine.
    for (const [chain, { source }] of cursors) if (!sees(source.machineId)) cursors.delete(chain);
  };
  for (;;) {
    const { version } = chains;
    await turns.take(lookForChains);
    for await (const record of merged([...cursors.values()], checkAgain, turns)) {
      if (signal.aborted) return;
      yield record;
    }
    if (!options.follow || signal.aborted) return;
    if (chains.isEnding) throw new CmdopError("RelayUnreachable", "The relay is shutting down.");
    await chains.waitForChange(version, CHECK_INTERVAL_MS, signal);
    await pause(FOLLOW_INTERVAL_MS, { signal });
    await checkAgain();
  }
}
