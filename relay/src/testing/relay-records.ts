import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { type RelayRecord, readAuditRecord } from "@cmdop/proto";

/** What the relay's own chain says now, read from its files as they are. */
export function relayRecords(stateDir: string): RelayRecord[] {
  const directory = path.join(stateDir, "audit", "relay");
  const files = readdirSync(directory).filter((name) => name.endsWith(".chain"));
  return files.sort().flatMap((name) => {
    const lines = readFileSync(path.join(directory, name), "utf8").split("\n").slice(1, -1);
    return lines.map((line) => {
      const record = readAuditRecord(Buffer.from(line.slice(line.indexOf(" ") + 1)), "relay");
      if (record === undefined || !isRelayRecord(record)) throw new Error(`no record: ${line}`);
      return record;
    });
  });
}

/** The records of one type. */
export function ofType<T extends RelayRecord["type"]>(
  records: readonly RelayRecord[],
  type: T,
): Extract<RelayRecord, { type: T }>[] {
  return records.filter((record): record is Extract<RelayRecord, { type: T }> => record.type === type);
}

function isRelayRecord(record: { readonly type: string }): record is RelayRecord {
  return ["started", "begin", "end", "refused", "quarantine", "counted"].includes(record.type);
}
