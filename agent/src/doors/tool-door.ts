import { type Arrival, CmdopError, type ErrorCode, HEADERS, messageOf, methodRule } from "@cmdop/proto";
import type { ToolGate } from "../loop/tools/tool-gate.ts";
import { authorize, type Decision, type Identity } from "../policy/authorize.ts";
import type { Caller } from "../policy/caller.ts";
import type { Policy } from "../policy/policy.ts";
import { resourceOf } from "../policy/resource.ts";
import type { Gate } from "./admit.ts";

/**
 * Returns the gate for the tools of agents' runs. Like every call, each use is decided by the present policy,
 * approved by a person where that is required, and recorded. The caller is the run's caller, whose right is
 * watched with the run.
 */
export function toolDoor({ audit, ask, policy }: Pick<Gate, "audit" | "ask" | "policy">): ToolGate {
  return async ({ caller, path, type, request: init, use }, act) => {
    const { signal, onWaiting } = use;
    const request = messageOf(type, init);
    const arrival: Arrival = {
      path,
      request,
      signal,
      header: () => undefined,
      inform: (headers) => {
        const [approvalId, expiresAtMs] = headers[HEADERS.waiting]?.split(" ") ?? [];
        if (approvalId !== undefined) onWaiting(approvalId, Number(expiresAtMs));
      },
    };
    const decide = (): Decision => {
      const resource = resourceOf(methodRule(path), request, policy.shells);
      return authorize(identityOf(caller, policy.policy), path, resource, policy.policy, policy.home);
    };
    const record = audit.arrived(caller.door, arrival);
    record.by(caller.keyId, caller.keyName);
    let code: "Ok" | ErrorCode = "Ok";
    try {
      let decision = decide();
      if (decision.kind === "ask") {
        const answer = await ask({ arrival, caller: decision.caller, call: record.id });
        // The policy may have changed by the time a person answers.
        decision = decide();
        if (decision.kind !== "deny" && answer !== "startsNothing") await answer.check(decision.caller);
      }
      if (decision.kind === "deny") throw decision.error;
      signal.throwIfAborted();
      const admitted = { ...decision.caller, roots: [...caller.roots, ...decision.caller.roots] };
      record.begin(admitted);
      return await act(admitted);
    } catch (thrown) {
      const error = CmdopError.from(thrown);
      code = error.code;
      throw error;
    } finally {
      record.end(code);
    }
  };
}

/** Returns the run's caller as an identity: the limits from the start of the run still apply. */
function identityOf({ door, keyId, keyName, scopes, roots }: Caller, { roots: allowed }: Policy): Identity {
  // If both grant and policy list directories, the grant's come first; a refusal says whose they are.
  const [first] = roots;
  const granted = roots.length > 1 || allowed === undefined ? first : undefined;
  const bound = granted === undefined ? {} : { paths: granted };
  return { door, keyId, keyName, scopes: [...scopes], owner: false, ...bound };
}
