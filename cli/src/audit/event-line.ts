import type { AnyAuditRecord } from "@cmdop/proto";
import { auditLine, shortDuration } from "./call-line.ts";

/** Formats a record that is a line of its own. `what`: the command of its job or call, if known. */
export function eventLine(
  record: Exclude<AnyAuditRecord, { type: "begin" | "end" }> | AnyAuditRecord,
  machine: string,
  what = "",
): string {
  const nobody = { key: null, keyName: "", machine, method: "-", what };
  switch (record.type) {
    case "refused": {
      const asked = "machine" in record ? (record.machine ?? "") : machine;
      const often = record.count > 1 ? `${record.count} times alike; ` : "";
      const details =
        "what" in record ? (record.what ?? "") : "address" in record ? `from ${record.address}` : "";
      const { key, keyName, method, code } = record;
      const line = { key, keyName, machine: asked, method, what: often + details };
      return auditLine(line, record.at, `REFUSED ${code}`);
    }
    case "job": {
      const { job, key, outcome, exitCode, signal, reason, ms } = record;
      const how = [outcome, exitCode ?? signal].filter((part) => part !== undefined).join(" ");
      const details = [`job ${job}`, reason, what].filter((part) => part).join("; ");
      const line = { ...nobody, key, method: "job ended", what: details };
      return auditLine(line, record.at, `${how}, ${shortDuration(ms)}`);
    }
    case "approval": {
      const { approval, state, by, byName, reason } = record;
      const details = [`approval ${approval}`, reason, what].filter((part) => part).join("; ");
      const line = { ...nobody, key: by ?? null, keyName: byName ?? "", method: "approval", what: details };
      return auditLine(line, record.at, state);
    }
    case "policy": {
      const details =
        record.error ?? (record.hash === null ? "there is no policy file" : `file ${record.hash}`);
      const line = { ...nobody, method: "policy", what: details };
      return auditLine(line, record.at, record.error === undefined ? "in force" : "REFUSED");
    }
    case "lost":
      return auditLine({ ...nobody, method: "state", what: record.what }, record.at, "LOST");
    case "counted": {
      const { key, keyName, method, calls, failed } = record;
      const bytes = "bytesIn" in record ? `, ${record.bytesIn} bytes in, ${record.bytesOut} bytes out` : "";
      const where = "machineName" in record ? record.machineName : machine;
      const counts = `${calls} more calls, ${failed} failed${bytes}; the key has filled its share of the audit`;
      return auditLine({ key, keyName, machine: where, method, what: counts }, record.at, "counted");
    }
    case "quarantine": {
      const { machineName, state, address } = record;
      const from = address === "" ? "" : `two agents have used its key; the second from ${address}`;
      return auditLine(
        { ...nobody, machine: machineName, method: "quarantine", what: from },
        record.at,
        state,
      );
    }
    case "clock": {
      const { state, aheadMs } = record;
      const what = `the system clock is ${shortDuration(Math.abs(aheadMs))} ${aheadMs < 0 ? "behind" : "ahead of"} the time that has passed`;
      return auditLine({ ...nobody, method: "clock", what }, record.at, state);
    }
    case "started":
      return auditLine({ ...nobody, method: "started", what: `version ${record.version}` }, record.at, "");
    default:
      // Begins and ends are printed by calls.
      return "";
  }
}
