import type { BigIntStats } from "node:fs";
import { Turns } from "@cmdop/kit";
import type { Place } from "./resolve.ts";

const turns = new Turns<string>();

/**
 * Runs a piece of work on a name while no other call of this agent commits to
 * the same name: what a condition was found to be then still holds when the
 * change is made. The directory is known by what it is, not by how it was named.
 */
export function inTurn<T>({ directory, name }: Place, work: () => Promise<T>): Promise<T> {
  return turns.take(`${directory.stats.dev}:${directory.stats.ino}/${name}`, work);
}

/** The same for what is written in place, which may have other names. Within a turn of a name, never around one. */
export function inTurnOf<T>({ dev, ino }: BigIntStats, work: () => Promise<T>): Promise<T> {
  return turns.take(`${dev}:${ino}`, work);
}
