import { ExplainDecision, Machine as MachineService } from "@cmdop/proto";
import type { MachineCaller } from "./connection/caller.ts";

/** A call to be judged by the machine's rules without making it. */
export interface ExplainOptions {
  /**
   * The key's owner-signed grant, as `keys.show` returns it. Without it the caller is one of the local
   * socket.
   */
  readonly grant?: string | undefined;
  /** The method's path: `/cmdop.v1.Files/Read`. */
  readonly method: string;
  /** The paths in the call, in the order of the method table. */
  readonly paths?: readonly string[] | undefined;
}

/** A machine's decision on a call, and the rule behind it. */
export interface Explanation {
  /** `ask`: the call would wait for a person. */
  readonly decision: "allow" | "deny" | "ask";
  /** The rule that decides. */
  readonly reason: string;
  /** The error's code, if the call would be denied. */
  readonly code?: string;
  /** The next step for the caller, if the call would be denied. */
  readonly next?: string;
}

/** Asks a machine for its decision on a call; runs nothing. */
export async function explain(caller: MachineCaller, options: ExplainOptions): Promise<Explanation> {
  const service = caller.client(MachineService);
  const request = { grant: options.grant ?? "", method: options.method, paths: [...(options.paths ?? [])] };
  const answer = await caller.invoke("/cmdop.v1.Machine/Explain", (call) => service.explain(request, call));
  const { reason, code, next } = answer;
  return {
    decision: decisionOf(answer.decision),
    reason,
    ...(code === "" ? {} : { code }),
    ...(next === "" ? {} : { next }),
  };
}

/** Reads the decision; one that this version does not know counts as a denial. */
function decisionOf(decision: ExplainDecision): Explanation["decision"] {
  if (decision === ExplainDecision.ALLOW) return "allow";
  return decision === ExplainDecision.ASK ? "ask" : "deny";
}
