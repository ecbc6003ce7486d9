import { methodRule } from "@cmdop/proto";
import { authorize, type PathAccess } from "../../policy/authorize.ts";
import type { Caller } from "../../policy/caller.ts";
import type { Policy } from "../../policy/policy.ts";

/**
 * The gate as tools pass it: whether the run's caller may do this, now. Resolves
 * with what the one action may touch.
 * @throws CmdopError PermissionDenied, PolicyDenied, InvalidArgument
 */
export type ToolGate = (caller: Caller, method: string, paths?: readonly PathAccess[]) => Promise<Caller>;

/** The machine's one gate for tools: the caller's own scopes and directories, and the policy as it is now. */
export function toolGate(policy: () => Policy, home: string): ToolGate {
  return async (caller, method, paths = []) => {
    const { door, keyId, keyName, scopes, roots } = caller;
    // The grant's directories come first where both name some; a refusal says whose they are.
    const [first] = roots;
    const granted = roots.length > 1 || policy().roots === undefined ? first : undefined;
    const identity = {
      ...{ door, keyId, keyName, scopes: [...scopes], owner: false },
      ...(granted === undefined ? {} : { paths: granted }),
    };
    const decision = authorize(identity, method, paths, policy(), home);
    if (decision.kind === "deny") throw decision.error;
    // What bound the caller when its run began binds it still; the files core refuses what is outside.
    return { ...decision.caller, roots: [...roots, ...decision.caller.roots] };
  };
}

/** Whether a caller has all scopes of a method: a tool that could only be refused is not offered. */
export function mayEver({ scopes }: Caller, method: string): boolean {
  return methodRule(method)?.scopes.every((scope) => scopes.has(scope)) ?? false;
}
