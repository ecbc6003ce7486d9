import { pause } from "@cmdop/kit";
import { CmdopError } from "@cmdop/proto";
import type { Directory } from "../data/directory.ts";
import type { Chains } from "./chains.ts";
import { Cursor, type MergedRecord, merged } from "./merge.ts";
import { type Condition, RecordFilter } from "./record-filter.ts";
import type { Turns } from "./turns.ts";
import { View, type Viewer } from "./view.ts";

/**
 * Interval between checks that a long query may go on, in milliseconds: the query of a revoked key ends
 * within two seconds.
 */
const CHECK_INTERVAL_MS = 1_000;

/**
 * Pause of a follower between two reads, in milliseconds. Each read goes through all chains, and under load
 * there is always something new.
 */
const FOLLOW_INTERVAL_MS = 50;

/** Options of a query. */
export interface QueryOptions {
  readonly chains: Chains;
  readonly directory: Directory;
  /** The turns that all queries of the relay take. */
  readonly turns: Turns;
  /** Returns the caller's present rights; throws when it may no longer query. */
  readonly viewer: () => Promise<Viewer>;
  readonly condition: Condition;
  readonly follow: boolean;
  readonly signal: AbortSignal;
}

/**
 * Yields the matching records of all chains that the caller may see: the oldest first, by the clocks of their
 * makers; then, if it follows, new ones as they come.
 * @throws CmdopError AuditBroken after all records, where files are damaged; RelayUnreachable to followers
 *   when the relay ends; the errors of `viewer`
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
      // After a copy was set aside, its chain is begun again under the same id.
      note(kept.origin.chain, kept.origin.machine, () => (chains.find(kept.origin.chain) ?? kept).log);
    }
    // Chains may have become invisible, through another grant, or another name or label of the machine.
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
