import { type MessageInit, type MessageType, methodRule } from "@cmdop/proto";
import type { Caller } from "../../policy/caller.ts";

/** One use of a tool. */
export interface ToolUse {
  /** Aborts when nobody waits for it any more. */
  readonly signal: AbortSignal;
  /** Called where a person has to be asked first. */
  readonly onWaiting: (approvalId: string, expiresAtMs: number) => void;
}

/** What a tool is about to do, as the call that any caller would make for it. */
export interface ToolCall<T extends MessageType> {
  /** Whose run it is. */
  readonly caller: Caller;
  /** The method's path. */
  readonly path: string;
  readonly type: T;
  readonly request: MessageInit<T>;
  readonly use: ToolUse;
}

/**
 * The gate as tools pass it: may the run's caller do this, now? A person is
 * asked where the policy wants that, and it is recorded; then `act` does it,
 * with what this one call may touch.
 * @throws CmdopError PermissionDenied, PolicyDenied, ApprovalRefused, AuditUnavailable, and what `act` throws
 */
export type ToolGate = <T extends MessageType, R>(
  call: ToolCall<T>,
  act: (caller: Caller) => Promise<R>,
) => Promise<R>;

/** Whether a caller has all scopes of a method: a tool that could only be refused is not offered. */
export function mayEver({ scopes }: Caller, method: string): boolean {
  return methodRule(method)?.scopes.every((scope) => scopes.has(scope)) ?? false;
}
