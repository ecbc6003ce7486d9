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

/** What the gate decides by, and what it must do before a call runs. */
export interface Gate {
  readonly identifier: Identifier;
  readonly policy: Pick<LivePolicy, "policy" | "home" | "shells">;
  /** Waits for a person. */
  readonly ask: Ask;
  readonly audit: MachineAudit;
  readonly openCalls: OpenCalls;
  readonly startedJobs: StartedJobs;
  readonly largeAnswers: LargeAnswers;
  /** Counts a call until it ends, where somebody wants to know. */
  readonly measure?: Metrics["begin"] | undefined;
}

type Door = Caller["door"];

/**
 * The way into every service, for one door: who is it, may they (where a person
 * decides, this takes a while), is it written down; then it runs. However it
 * ends, at this gate or after it, its record ends with it.
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

/** From here on the call ends when the right of its key does. */
function enter({ openCalls, startedJobs }: Gate, { keyId, standing }: Identified): OpenCall {
  const open = openCalls.enter(keyId, standing);
  if (standing !== undefined) startedJobs.renew(standing);
  return open;
}

/** May they? Where the policy lets a person decide, what it says counts again after the answer: it may be another by then. */
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

/** Waits for its turn where its answer is large; no longer than there is somebody to answer. */
async function place(
  { largeAnswers }: Gate,
  { keyId }: Caller,
  { path, signal }: Arrival,
  { revoked }: OpenCall,
): Promise<void> {
  if (!largeAnswers.bounds(path)) return;
  await largeAnswers.enter(keyId, path, AbortSignal.any([signal, revoked]));
}
