import type { AnyAuditRecord } from "@cmdop/proto";
import { shortId } from "../console/short-ids.ts";
import { type AuditRow, auditRow, shortDuration } from "./call-row.ts";

/** Makes the row of a record that is a line of its own; undefined for begins and ends, which calls print. `what`: the command of its job or call, if known. */
export function eventRow(
  record: Exclude<AnyAuditRecord, { type: "begin" | "end" }> | AnyAuditRecord,
  machine: string,
  what = "",
): AuditRow | undefined {
  const nobody = { key: null, keyName: "", machine, method: "-", what };
  switch (record.type) {
    case "refused": {
      const asked = "machine" in record ? (record.machine ?? "") : machine;
      const often = record.count > 1 ? `${record.count} times alike; ` : "";
      const details =
        "what" in record ? (record.what ?? "") : "address" in record ? `from ${record.address}` : "";
      const { key, keyName, method, code } = record;
      const line = { key, keyName, machine: asked, method, what: often + details };
      return auditRow(line, record.at, `REFUSED ${code}`);
    }
    case "job": {
      const { job, key, outcome, exitCode, signal, reason, ms } = record;
      const how = [outcome, exitCode ?? signal].filter((part) => part !== undefined).join(" ");
      const details = [`job ${shortId(job)}`, reason, what].filter((part) => part).join("; ");
      const line = { ...nobody, key, method: "job ended", what: details };
      return auditRow(line, record.at, `${how}, ${shortDuration(ms)}`);
    }
    case "approval": {
      const { approval, state, by, byName, reason } = record;
      const details = [`approval ${shortId(approval)}`, reason, what].filter((part) => part).join("; ");
      const line = { ...nobody, key: by ?? null, keyName: byName ?? "", method: "approval", what: details };
      return auditRow(line, record.at, state);
    }
    case "policy": {
      const details =
        record.error ?? (record.hash === null ? "there is no policy file" : `file ${record.hash}`);
      const line = { ...nobody, method: "policy", what: details };
      return auditRow(line, record.at, record.error === undefined ? "in force" : "REFUSED");
    }
    case "lost":
      return auditRow({ ...nobody, method: "state", what: record.what }, record.at, "LOST");
    case "counted": {
      const { key, keyName, method, calls, failed } = record;
      const bytes = "bytesIn" in record ? `, ${record.bytesIn} bytes in, ${record.bytesOut} bytes out` : "";
      const where = "machineName" in record ? record.machineName : machine;
      const counts = `${calls} more calls, ${failed} failed${bytes}; the key has filled its share of the audit`;
      return auditRow({ key, keyName, machine: where, method, what: counts }, record.at, "counted");
    }
    case "quarantine": {
      const { machineName, state, address } = record;
      const from = address === "" ? "" : `two agents have used its key; the second from ${address}`;
      return auditRow(
        { ...nobody, machine: machineName, method: "quarantine", what: from },
        record.at,
        state,
      );
    }
    case "clock": {
      const { state, aheadMs } = record;
      const what = `the system clock is ${shortDuration(Math.abs(aheadMs))} ${aheadMs < 0 ? "behind" : "ahead of"} the time that has passed`;
      return auditRow({ ...nobody, method: "clock", what }, record.at, state);
    }
    case "started":
      return auditRow({ ...nobody, method: "started", what: `version ${record.version}` }, record.at, "");
    default:
      return undefined;
  }
}
