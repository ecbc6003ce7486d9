import { CmdopError } from "../errors/cmdop-error.ts";

/** Says that a chain's directory takes no record now, and why. */
export function unavailable(directory: string, cause: unknown): CmdopError {
  if (cause instanceof CmdopError && cause.code === "AuditUnavailable") return cause;
  const why = cause instanceof Error ? cause.message : String(cause);
  return new CmdopError("AuditUnavailable", `No audit record can be written to ${directory}: ${why}.`, {
    cause,
  });
}
