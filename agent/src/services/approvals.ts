import type { Approvals as ApprovalsService, Handlers } from "@cmdop/proto";
import type { Approvals } from "../approvals/approvals.ts";
import type { Caller } from "../policy/caller.ts";

/** Returns the handlers of `Approvals`, which only translate. */
export function approvalsHandlers(approvals: Approvals): Handlers<typeof ApprovalsService, Caller> {
  return {
    list: async () => ({
      approvals: approvals.list().map(({ id, asker, method, requestHash, what, askedAtMs, expiresAtMs }) => ({
        approvalId: id,
        ...asker,
        method,
        requestHash,
        what,
        askedAtMs,
        expiresAtMs,
      })),
    }),

    answer: async ({ approvalId, approve, requestHash, reason }, { caller: { keyId, keyName } }) => {
      approvals.answer({ keyId, keyName }, { approvalId, approve, requestHash, reason });
      return {};
    },
  };
}
