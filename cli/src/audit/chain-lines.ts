import type { AuditChainReport } from "@cmdop/sdk";
import { printable } from "../console/printable.ts";

/** Formats the report on one chain: a line, and one more for each problem. */
export function chainLines(report: AuditChainReport): string {
  const { chain, machineId, machineName, first, last, confirmed, problems, warnings } = report;
  const whose = machineId === null ? "relay" : `machine ${machineName ?? machineId}`;
  const state = problems.length > 0 ? "BROKEN" : warnings.length > 0 ? "MOVED " : "ok    ";
  const records = last === 0 ? "no records" : `records ${first} to ${last}`;
  const word = confirmed === true ? ", its end confirmed by the machine" : "";
  return [
    `${state}  ${whose}  ${records}${word}  (chain ${chain})`,
    ...[...problems, ...warnings].map((text) => `        ${text}`),
  ]
    .map((line) => `${printable(line)}\n`)
    .join("");
}
