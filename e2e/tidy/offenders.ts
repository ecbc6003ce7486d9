import { expect } from "vitest";
import type { SourceFile } from "./source-tree.ts";

/** Whether the rules apply to a file: those of the rules name what they forbid. */
export const others = (file: SourceFile): boolean => !/^e2e\/tidy[./]/.test(file.path);

/** Fails with the offenders, one a line, and what to do about them. */
export function expectNone(offenders: Iterable<string>, remedy: string): void {
  const list = [...new Set(offenders)].sort();
  expect(list, `${remedy}\n${list.map((offender) => `  ${offender}`).join("\n")}\n`).toEqual([]);
}
