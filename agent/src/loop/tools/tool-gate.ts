import { type MessageInit, type MessageType, methodRule } from "@cmdop/proto";
import type { Caller } from "../../policy/caller.ts";

/** One use of a tool. */
export interface ToolUse {
  /** Aborts when nobody waits for the result any more. */
  readonly signal: AbortSignal;
  /** Called when a person must approve the use first. */
  readonly onWaiting: (approvalId: string, expiresAtMs: number) => void;
}

/** The planned action of a tool, as the call that any caller would make for it. */
export interface ToolCall<T extends MessageType> {
  /** The run's caller. */
  readonly caller: Caller;
  /** The method's path. */
  readonly path: string;
  readonly type: T;
  readonly request: MessageInit<T>;
  readonly use: ToolUse;
}

/**
 * Admits one action of a tool if the run's caller may do it now. If the policy wants it, a person is asked
 * first; the action is recorded. Then `act` carries it out, with the rights of this one call.
 * @throws CmdopError PermissionDenied, PolicyDenied, ApprovalRefused, AuditUnavailable, and the errors of
 * `act`
 */
export type ToolGate = <T extends MessageType, R>(
  call: ToolCall<T>,
  act: (caller: Caller) => Promise<R>,
) => Promise<R>;

/** True if a caller has all scopes of a method. A tool that could only be refused is not offered. */
export function mayEver({ scopes }: Caller, method: string): boolean {
  return methodRule(method)?.scopes.every((scope) => scopes.has(scope)) ?? false;
}
