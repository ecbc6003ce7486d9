import { ExplainDecision, Machine as MachineService } from "@cmdop/proto";
import type { MachineCaller } from "./connection/caller.ts";

/** A call that might be made. */
export interface ExplainOptions {
  /** The key's owner-signed grant, as `keys.show` gives it; a caller of the local socket unless given. */
  readonly grant?: string | undefined;
  /** The method's path: `/cmdop.v1.Files/Read`. */
  readonly method: string;
  /** The paths that the call would name, in the order of the method table. */
  readonly paths?: readonly string[] | undefined;
}

/** What the machine would answer, and by which rule. */
export interface Explanation {
  /** `ask`: it would wait for a person. */
  readonly decision: "allow" | "deny" | "ask";
  /** The rule that decides. */
  readonly reason: string;
  /** The error's code, where it would be denied. */
  readonly code?: string;
  /** What to do next, where it would be denied. */
  readonly next?: string;
}

/** Asks a machine what it would say to a call; runs nothing. */
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

/** An answer that this version does not know is no permission. */
function decisionOf(decision: ExplainDecision): Explanation["decision"] {
  if (decision === ExplainDecision.ALLOW) return "allow";
  return decision === ExplainDecision.ASK ? "ask" : "deny";
}
