import { CmdopError } from "../errors/cmdop-error.ts";

/** Returns the error for a chain's directory that accepts no records now, with the reason. */
export function unavailable(directory: string, cause: unknown): CmdopError {
  if (cause instanceof CmdopError && cause.code === "AuditUnavailable") return cause;
  const why = cause instanceof Error ? cause.message : String(cause);
  return new CmdopError("AuditUnavailable", `No audit record can be written to ${directory}: ${why}.`, {
    cause,
  });
}
