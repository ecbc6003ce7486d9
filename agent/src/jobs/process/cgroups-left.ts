import type { JobTrace } from "./job-trace.ts";

/** Cgroups that one sweep tries to remove: each takes some 0.05 ms in which callers wait. */
const MAX_SWEPT_CGROUPS = 100;

/** Cgroups of jobs that have ended: one can be removed when nothing runs in it any more, which may be long after. */
export class CgroupsLeft {
  /** Those that were tried longest ago first. No more than there are processes. */
  readonly #traces = new Set<JobTrace>();

  add(trace: JobTrace): void {
    if (trace.cgroup !== undefined) this.#traces.add(trace);
  }

  /** Removes those in which nothing runs. */
  sweep(): void {
    for (const trace of [...this.#traces].slice(0, MAX_SWEPT_CGROUPS)) {
      this.#traces.delete(trace);
      if (trace.cgroup?.remove()) trace.cgroup = undefined;
      else this.#traces.add(trace);
    }
  }
}
