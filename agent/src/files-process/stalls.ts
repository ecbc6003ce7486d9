import { statfs } from "node:fs/promises";
import { CmdopError, ERROR_TABLE, systemPath } from "@cmdop/proto";
import { isWithin, shown } from "../files/place/path.ts";
import type { DiskOperations, Operation } from "./disk-operations.ts";
import { type FoundStall, findStall } from "./find-stall.ts";
import {
  LATE_OPERATION_MS,
  LOOK_AGAIN_MS,
  MAX_STALLED_MOUNTS,
  MAX_STUCK_THREADS,
  MOUNTS_FRESH_MS,
  STALL_CHECK_MS,
  STALLED_AFTER_MS,
} from "./limits.ts";
import { mountOf, readMounts } from "./mounts.ts";
import type { StalledMount } from "./told.ts";

/** Who wants to know. */
export interface StallListener {
  /** The stalled mounts are others now. */
  onChange(mounts: readonly StalledMount[]): void;
  /** Too many threads hang: only the end of the process frees them. */
  onTooMany(reason: string): void;
}

const PROBE = { key: "probes", isProbe: true };

/**
 * The watch on mounts that do not answer. An operation that does not come back
 * is looked into; where its mount says nothing about itself either, that mount is
 * stalled: nothing more is begun on it, what hangs in it is given up, and one
 * probe waits for its answer, which opens it again.
 */
export class Stalls {
  readonly #disk: DiskOperations;
  readonly #listener: StallListener;
  readonly #mounts = new Map<number, StalledMount>();
  /** When an operation is looked into next. */
  readonly #looks = new WeakMap<Operation, number>();
  #isLooking = false;
  #checkedAtMs = Number.NEGATIVE_INFINITY;
  /** A process before this one hangs in the stalled mounts: their answer alone does not open them. */
  #hasPredecessor: boolean;
  /** Mounts that have answered, and when: they are opened when nothing hangs in them any more. */
  readonly #answered = new Map<number, number>();

  constructor(
    disk: DiskOperations,
    { stalled, hasPredecessor }: { stalled: readonly StalledMount[]; hasPredecessor: boolean },
    listener: StallListener,
  ) {
    this.#disk = disk;
    this.#listener = listener;
    this.#hasPredecessor = hasPredecessor;
    for (const mount of stalled) {
      this.#mounts.set(mount.id, mount);
      this.#await(
        mount,
        disk.run(PROBE, () => Promise.allSettled([statfs(systemPath(mount.point))])),
      );
    }
    this.#arm();
    setInterval(() => void this.#check(), STALL_CHECK_MS);
  }

  /** Refuses a path that leads to a stalled mount, by what it says: to look would be to hang. */
  refuse(path: string): void {
    this.#forgetGone();
    const mount = this.stalledAt(path);
    if (mount !== undefined) throw refused(mount, path);
  }

  /** The stalled mount that a path leads to. */
  stalledAt(path: string): StalledMount | undefined {
    return [...this.#mounts.values()].find(({ point, links }) =>
      [point, ...links].some((way) => isWithin(path, way)),
    );
  }

  /** The process before is gone: mounts that have answered are open. */
  predecessorGone(): void {
    this.#hasPredecessor = false;
    this.#openAnswered();
  }

  async #check(): Promise<void> {
    this.#forgetGone();
    this.#openAnswered();
    if (this.#isLooking) return;
    this.#isLooking = true;
    try {
      const now = performance.now();
      const late = [...this.#disk.running].filter((operation) => this.#isDue(operation, now));
      for (const operation of late) await this.#lookInto(operation, now);
    } finally {
      this.#isLooking = false;
    }
  }

  #isDue(operation: Operation, now: number): boolean {
    const { account, begunAtMs, isStuck } = operation;
    if (isStuck || account.isProbe === true) return false;
    return now >= (this.#looks.get(operation) ?? begunAtMs + STALLED_AFTER_MS);
  }

  async #lookInto(operation: Operation, now: number): Promise<void> {
    const path = operation.path();
    if (path === undefined || !this.#disk.running.has(operation)) return;
    this.#looks.set(operation, now + LOOK_AGAIN_MS);
    const known = this.stalledAt(path);
    if (known !== undefined) return this.#giveUp(known);
    const found = await this.#disk.run(PROBE, () => findStall(path));
    if (found === undefined || !this.#disk.running.has(operation)) return;
    this.#close(found);
  }

  #close({ mount: { id, point }, link, answer }: FoundStall): void {
    const known = this.#mounts.get(id);
    if (known === undefined && this.#mounts.size >= MAX_STALLED_MOUNTS) {
      this.#listener.onTooMany(`${MAX_STALLED_MOUNTS} mounts do not answer`);
      return;
    }
    const links = new Set([...(known?.links ?? []), ...(link === undefined ? [] : [link])]);
    const stalled = { id, point, links: [...links].slice(-MAX_STALLED_MOUNTS) };
    this.#mounts.set(id, stalled);
    if (known === undefined) this.#await(stalled, answer);
    this.#changed();
    this.#giveUp(stalled);
  }

  /** What hangs in the mount holds a thread for good, and nobody any more. */
  #giveUp(mount: StalledMount): void {
    this.#disk.giveUp((operation) => {
      const path = operation.path() ?? "";
      return this.stalledAt(path)?.id === mount.id ? stuck(mount, path, operation) : undefined;
    });
    const threads = [...this.#disk.running].filter(({ isStuck }) => isStuck).length;
    if (threads < MAX_STUCK_THREADS) return;
    this.#listener.onTooMany(`${threads} of its threads hang in mounts that do not answer`);
  }

  #await({ id }: StalledMount, answer: Promise<unknown>): void {
    void answer.then(() => {
      this.#answered.set(id, performance.now());
      this.#openAnswered();
    });
  }

  /** Opens the mounts that answer again. What still hangs in one may be carried out at any moment: until then nobody else changes anything there. */
  #openAnswered(): void {
    if (this.#hasPredecessor) return;
    for (const [id, atMs] of this.#answered) {
      const hangs = [...this.#disk.running].some(
        ({ isStuck, path }) => isStuck && this.stalledAt(path() ?? "")?.id === id,
      );
      if (!hangs) this.#open(id);
      else if (performance.now() - atMs > LATE_OPERATION_MS) {
        this.#listener.onTooMany("an operation hangs in a mount that answers");
      }
    }
  }

  #open(id: number): void {
    this.#answered.delete(id);
    if (this.#mounts.delete(id)) this.#changed();
  }

  /** A mount that is not there any more, or lies under another, hinders nobody. */
  #forgetGone(): void {
    const now = performance.now();
    if (this.#mounts.size === 0 || now - this.#checkedAtMs < MOUNTS_FRESH_MS) return;
    this.#checkedAtMs = now;
    const mounts = readMounts();
    for (const { id, point } of [...this.#mounts.values()])
      if (mountOf(mounts, point)?.id !== id) this.#open(id);
  }

  #changed(): void {
    this.#arm();
    this.#listener.onChange([...this.#mounts.values()]);
  }

  /** Paths are compared only while there is something to compare them with. */
  #arm(): void {
    this.#disk.refuse = this.#mounts.size === 0 ? undefined : (path) => this.refuse(path);
  }
}

/** Nothing was begun. */
function refused({ point }: StalledMount, path: string): CmdopError {
  return new CmdopError(
    "MountStalled",
    `${shown(path)} lies on the mount ${shown(point)}, which does not answer.`,
  );
}

/** It hangs, and may be carried out when the mount comes back. */
function stuck({ point }: StalledMount, path: string, { isChange }: Operation): CmdopError {
  const what = `The mount ${shown(point)} does not answer, and what was being done to ${shown(path)} hangs`;
  if (!isChange) return new CmdopError("MountStalled", `${what}: it was given up.`);
  return new CmdopError("OutcomeUnknown", `${what}: it may happen when the mount comes back.`, {
    next: ERROR_TABLE.MountStalled.next,
  });
}
