import { type Admit, methodRule, requestPaths } from "@cmdop/proto";
import { authorize } from "../policy/authorize.ts";
import type { Caller } from "../policy/caller.ts";
import type { Policy } from "../policy/policy.ts";
import type { Identifier } from "./identify.ts";
import type { LargeAnswers } from "./large-answers.ts";

/** What the gate decides by. */
export interface Gate {
  readonly identifier: Identifier;
  readonly policy: () => Policy;
  /** The home of the user that jobs run as: what `~` stands for. */
  readonly home: string;
  readonly largeAnswers: LargeAnswers;
}

/** The way into every service, for one door: who is it, then may they. */
export function admitThrough(door: "relay" | "local", gate: Gate): Admit<Caller> {
  return async (arrival) => {
    const identity = await gate.identifier[door === "relay" ? "remote" : "local"](arrival);
    const rule = methodRule(arrival.path);
    const paths = rule === undefined ? [] : requestPaths(rule, arrival.request);
    const decision = authorize(identity, arrival.path, paths, gate.policy(), gate.home);
    if (decision.kind === "deny") throw decision.error;
    await gate.largeAnswers.enter(decision.caller.keyId, arrival.path, arrival.signal);
    return { caller: decision.caller };
  };
}
