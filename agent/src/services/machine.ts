import os from "node:os";
import { CmdopError, ExplainDecision, type Handlers, type Machine, type MachineIdentity } from "@cmdop/proto";
import type { Caller } from "../policy/caller.ts";
import type { Explanation } from "../policy/explain.ts";
import type { healthOf } from "./health.ts";

/** The agent's facts about its machine, beyond those of the operating system. */
export interface MachineFacts extends MachineIdentity {
  readonly agentVersion: string;
  /** Name and home of the user that jobs run as. */
  readonly user: string;
  readonly home: string;
  /** The reason why the policy file is not in force; empty if it is. */
  readonly policyError: string;
  /** The trouble of the disk with the agent's state; empty if there is none. */
  readonly diskError: string;
}

/** The dependencies of the Machine service. */
export interface MachineOptions {
  readonly facts: () => MachineFacts;
  /** Returns what a person checks first when something does not work. */
  readonly health: ReturnType<typeof healthOf>;
  /** Returns the machine's decision on a call. `grant`: as in MachineExplainRequest. */
  readonly explain: (grant: string, method: string, paths: readonly string[]) => Promise<Explanation>;
}

/** Size of a challenge, in bytes. */
const NONCE_BYTES = 32;

/**
 * Returns the handlers of `Machine`. `signHead` signs the end of the machine's audit chain, with the asker's
 * challenge.
 */
export function machineHandlers(
  options: MachineOptions,
  signHead: (nonce: string) => Promise<string>,
): Handlers<typeof Machine, Caller> {
  return {
    async explain({ grant, method, paths }) {
      return toMessage(await options.explain(grant, method, paths));
    },
    async auditHead({ nonce }) {
      if (nonce.length !== NONCE_BYTES) {
        throw new CmdopError("InvalidArgument", `The nonce has ${NONCE_BYTES} bytes, not ${nonce.length}.`, {
          next: "Send fresh random bytes, so that the answer can't be an old one.",
        });
      }
      return { head: await signHead(Buffer.from(nonce).toString("base64url")) };
    },
    async info({ health }, call) {
      const { id, name, labels, agentVersion, user, home, policyError, diskError } = options.facts();
      return {
        id,
        name,
        labels: { ...labels },
        hostname: os.hostname(),
        platform: os.platform(),
        arch: os.arch(),
        release: os.release(),
        agentVersion,
        user,
        home,
        cpus: os.availableParallelism(),
        memoryBytes: BigInt(os.totalmem()),
        uptimeSeconds: os.uptime(),
        scopes: [...call.caller.scopes],
        policyError,
        diskError,
        health: health ? await options.health() : undefined,
      };
    },
  };
}

function toMessage(explanation: Explanation) {
  if (explanation.decision !== "deny") {
    const decision = explanation.decision === "ask" ? ExplainDecision.ASK : ExplainDecision.ALLOW;
    return { decision, reason: explanation.reason };
  }
  const { message, code, next } = explanation.error;
  return { decision: ExplainDecision.DENY, reason: message, code, next };
}
