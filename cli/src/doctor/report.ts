import { printable } from "../console/printable.ts";
import type { Finding, Verdict } from "./finding.ts";

const MARKS: Readonly<Record<Verdict, string>> = { ok: "ok", warning: "WARNING", failed: "FAILED" };

/** The findings as people read them, and what they come to. */
export function reportText(findings: readonly Finding[]): string {
  const width = Math.max(...findings.map(({ check }) => printable(check).length));
  const mark = Math.max(...Object.values(MARKS).map(({ length }) => length));
  // Relays and machines have written some of these words.
  const lines = findings.flatMap(({ check, verdict, text, next }) => {
    const line = `${MARKS[verdict].padEnd(mark)}  ${printable(check).padEnd(width)}  ${printable(text)}`;
    return next === undefined ? [line] : [line, `${" ".repeat(mark + width + 4)}next: ${printable(next)}`];
  });
  const count = (verdict: Verdict): number =>
    findings.filter((finding) => finding.verdict === verdict).length;
  const [failures, warnings] = [count("failed"), count("warning")];
  const sum =
    failures > 0
      ? `${failures} of ${findings.length} checks failed`
      : warnings > 0
        ? `nothing failed; ${warnings} warnings`
        : "all is well";
  return `${lines.join("\n")}\n\n${sum}\n`;
}
