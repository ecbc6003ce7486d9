import { randomUUID } from "node:crypto";
import { type Admit, methodRule } from "@cmdop/proto";
import type { Ask } from "../approvals/asking.ts";
import { authorize } from "../policy/authorize.ts";
import type { Caller } from "../policy/caller.ts";
import type { LivePolicy } from "../policy/live-policy.ts";
import { resourceOf } from "../policy/resource.ts";
import type { Identifier } from "./identify.ts";
import type { LargeAnswers } from "./large-answers.ts";

/** What the gate decides by. */
export interface Gate {
  readonly identifier: Identifier;
  readonly policy: Pick<LivePolicy, "policy" | "home" | "loginShell">;
  /** Waits for a person. */
  readonly ask: Ask;
  readonly largeAnswers: LargeAnswers;
}

/** The way into every service, for one door: who is it, then may they. */
export function admitThrough(door: "relay" | "local", gate: Gate): Admit<Caller> {
  return async (arrival) => {
    const identity = await gate.identifier[door === "relay" ? "remote" : "local"](arrival);
    const decide = () => {
      const { policy, home, loginShell } = gate.policy;
      const resource = resourceOf(methodRule(arrival.path), arrival.request, loginShell);
      return authorize(identity, arrival.path, resource, policy, home);
    };
    let decision = decide();
    if (decision.kind === "ask") {
      await gate.ask({ arrival, caller: decision.caller, call: randomUUID() });
      // The policy may have become another while the call waited.
      decision = decide();
    }
    if (decision.kind === "deny") throw decision.error;
    await gate.largeAnswers.enter(decision.caller.keyId, arrival.path, arrival.signal);
    return { caller: decision.caller };
  };
}
