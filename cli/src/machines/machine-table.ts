import type { MachineStatus } from "@cmdop/sdk";
import { type Cell, type TableView, table } from "../console/table.ts";
import { isoTime } from "../console/time.ts";

const COLUMNS = [
  { title: "NAME", minWidth: 12 },
  { title: "STATE", minWidth: 12 },
  { title: "VERSION", minWidth: 7 },
  { title: "LABELS", minWidth: 6 },
  { title: "ID" },
];

/** Machines as people read them, a line each below a heading. `short`: shortens their ids. */
export function machineTable(
  machines: readonly MachineStatus[],
  short: (id: string) => string,
  view: TableView,
): string {
  const rows = machines.map((machine) => [
    machine.name,
    stateCell(machine),
    machine.agentVersion,
    Object.entries(machine.labels)
      .map(([key, value]) => `${key}=${value}`)
      .join(","),
    short(machine.id),
  ]);
  return table(COLUMNS, rows, view);
}

function stateCell({ online, lastSeenMs, quarantinedSinceMs }: MachineStatus): Cell {
  if (quarantinedSinceMs !== null)
    return { text: `QUARANTINED since ${isoTime(quarantinedSinceMs)}`, style: "bad" };
  if (online) return { text: "online", style: "good" };
  const seen = lastSeenMs === null ? "never seen" : `last seen ${isoTime(lastSeenMs)}`;
  return { text: `offline, ${seen}`, style: "faint" };
}
