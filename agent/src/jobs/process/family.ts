import type { JobTrace } from "./job-trace.ts";
import { type ProcessEntry, processes } from "./process-table.ts";

/**
 * The processes of a job, followed from its first one: all in its cgroup, its group and
 * its session, their children, and the sessions that those lead. Whoever was seen once is
 * known, also when its parent is gone. Linux only.
 */
export class Family {
  readonly #trace: JobTrace;
  /** When each was started, by pid. */
  readonly #seen = new Map<number, number>();
  readonly #sessions = new Set<number>();

  constructor(trace: JobTrace) {
    this.#trace = trace;
    if (trace.leader !== undefined) this.#sessions.add(trace.leader);
  }

  /** Those that run now; zombies are left out, since nobody may be there to reap them. */
  async look(): Promise<number[]> {
    const { leader, cgroup } = this.#trace;
    const all = await processes();
    const inCgroup = new Set(cgroup?.members());
    const childrenOf = Map.groupBy(all, ({ parent }) => parent);
    const members = new Set<ProcessEntry>();
    const add = (entry: ProcessEntry): void => {
      if (members.has(entry)) return;
      members.add(entry);
      this.#seen.set(entry.pid, entry.startedAtS);
      if (entry.session === entry.pid) this.#sessions.add(entry.pid);
      for (const child of childrenOf.get(entry.pid) ?? []) add(child);
    };
    const isMember = (entry: ProcessEntry): boolean =>
      this.#sessions.has(entry.session) ||
      (leader !== undefined && entry.group === leader) ||
      inCgroup.has(entry.pid) ||
      this.#seen.get(entry.pid) === entry.startedAtS;
    // Again where one was found that leads a session: others of it may have come before.
    for (let before = -1; before < this.#sessions.size; ) {
      before = this.#sessions.size;
      for (const entry of all) if (isMember(entry)) add(entry);
    }
    return [...members]
      .flatMap(({ pid, state }) => (state === "Z" || state === "X" ? [] : [pid]))
      .sort(byAge);
  }
}

/** Parents before children, as a rule: a shell that sees its child die first would end with a code of its own. */
function byAge(one: number, other: number): number {
  return one - other;
}
