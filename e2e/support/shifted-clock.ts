import { readFileSync } from "node:fs";

/**
 * Preloaded into a process of a test (see with-clock.ts): its clock is then off
 * by the milliseconds in this module's own address, `?ms=3600000`, or by those
 * that stand in a file now, `?file=/tmp/shift`.
 */
const { searchParams } = new URL(import.meta.url);
const file = searchParams.get("file");
const shiftMs = (): number => Number(file === null ? searchParams.get("ms") : readFileSync(file, "utf8"));
if (!Number.isSafeInteger(shiftMs())) throw new TypeError(`${import.meta.url} names no shift`);

const RealDate = Date;

class ShiftedDate extends RealDate {
  constructor(...given: [] | [value: number | string | Date]) {
    if (given.length === 0) super(RealDate.now() + shiftMs());
    else super(given[0]);
  }

  static override now(): number {
    return RealDate.now() + shiftMs();
  }
}

Object.defineProperty(globalThis, "Date", { value: ShiftedDate });
