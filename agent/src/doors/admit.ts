import { type Admit, type Arrival, CmdopError, type ErrorCode, type Metrics, methodRule } from "@cmdop/proto";
import type { Ask } from "../approvals/asking.ts";
import type { CallRecord } from "../audit/call-record.ts";
import type { MachineAudit } from "../audit/machine-audit.ts";
import { authorize, type Decision } from "../policy/authorize.ts";
import type { Caller } from "../policy/caller.ts";
import type { LivePolicy } from "../policy/live-policy.ts";
import { resourceOf } from "../policy/resource.ts";
import type { Identified, Identifier } from "./identify.ts";
import type { LargeAnswers } from "./large-answers.ts";
import type { OpenCall, OpenCalls } from "./open-calls.ts";
import type { StartedJobs } from "./started-jobs.ts";

/** The dependencies of the gate: the data for its decisions, and the steps before a call runs. */
export interface Gate {
  readonly identifier: Identifier;
  readonly policy: Pick<LivePolicy, "policy" | "home" | "shells">;
  /** Waits for a person's answer. */
  readonly ask: Ask;
  readonly audit: MachineAudit;
  readonly openCalls: OpenCalls;
  readonly startedJobs: StartedJobs;
  readonly largeAnswers: LargeAnswers;
  /** Measures a call until it ends, if there are metrics. */
  readonly measure?: Metrics["begin"] | undefined;
}

type Door = Caller["door"];

/**
 * Returns the function that admits every call of one door: it identifies the caller, checks its right (if a
 * person decides, this takes a while), and records the call; then the call runs. The record ends with the
 * call, however that ends, at this gate or after it.
 */
export function admitThrough(door: Door, gate: Gate): Admit<Caller> {
  return async (arrival) => {
    const record = gate.audit.arrived(door, arrival);
    const measured = gate.measure?.(arrival.path);
    let open: OpenCall | undefined;
    const onEnd = (code: "Ok" | ErrorCode): void => {
      open?.leave();
      record.end(code);
      measured?.(code);
    };
    try {
      const identity = await identify(door, gate, arrival, record);
      open = enter(gate, identity);
      open.judgedBy(() => refusal(decide(gate, arrival, identity)));
      const caller = await allowed(gate, arrival, identity, record.id, open);
      open.revoked.throwIfAborted();
      record.begin(caller);
      await place(gate, caller, arrival, open);
      return { caller, revoked: open.revoked, onEnd };
    } catch (thrown) {
      const error = CmdopError.from(open?.revoked.aborted ? open.revoked.reason : thrown);
      onEnd(error.code);
      throw error;
    }
  };
}

function identify(
  door: Door,
  { identifier }: Gate,
  arrival: Arrival,
  record: CallRecord,
): Promise<Identified> {
  return identifier[door === "relay" ? "remote" : "local"](arrival, (id, name) => record.by(id, name));
}

/** Registers the call, which from now on ends when the right of its key ends. */
function enter({ openCalls, startedJobs }: Gate, { keyId, standing }: Identified): OpenCall {
  const open = openCalls.enter(keyId, standing);
  if (standing !== undefined) startedJobs.renew(standing);
  return open;
}

/**
 * Checks the caller's right. If a person decides, the policy is asked again after the answer, because it may
 * have changed by then.
 */
async function allowed(
  gate: Gate,
  arrival: Arrival,
  identity: Identified,
  call: string,
  { revoked }: OpenCall,
): Promise<Caller> {
  let decision = decide(gate, arrival, identity);
  if (decision.kind === "ask") {
    const answer = await gate.ask({ arrival, caller: decision.caller, call, revoked });
    decision = decide(gate, arrival, identity);
    if (decision.kind !== "deny") {
      if (answer === "startsNothing") return { ...decision.caller, startsCanceled: true };
      await answer.check(decision.caller);
    }
  }
  if (decision.kind === "deny") throw decision.error;
  return decision.caller;
}

function refusal(decision: Decision): CmdopError | undefined {
  return decision.kind === "deny" ? decision.error : undefined;
}

function decide(gate: Gate, { path, request }: Arrival, identity: Identified): Decision {
  const { policy, home, shells } = gate.policy;
  return authorize(identity, path, resourceOf(methodRule(path), request, shells), policy, home);
}

/** Waits for the call's turn if its answer is large, as long as somebody waits for it. */
async function place(
  { largeAnswers }: Gate,
  { keyId }: Caller,
  { path, signal }: Arrival,
  { revoked }: OpenCall,
): Promise<void> {
  if (!largeAnswers.bounds(path)) return;
  await largeAnswers.enter(keyId, path, AbortSignal.any([signal, revoked]));
}
