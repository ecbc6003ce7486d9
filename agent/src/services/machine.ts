import os from "node:os";
import { CmdopError, ExplainDecision, type Handlers, type Machine, type MachineIdentity } from "@cmdop/proto";
import type { Caller } from "../policy/caller.ts";
import type { Explanation } from "../policy/explain.ts";

/** What the agent knows of its machine beyond what the operating system says. */
export interface MachineFacts extends MachineIdentity {
  readonly agentVersion: string;
  /** The user that jobs run as, and that user's home. */
  readonly user: string;
  readonly home: string;
  /** Why the policy file is not in force; empty where it is. */
  readonly policyError: string;
  /** What the disk of the agent's state does not take; empty where it takes everything. */
  readonly diskError: string;
}

/** What the service has to know. */
export interface MachineOptions {
  readonly facts: () => MachineFacts;
  /** What the machine would say to a call. `grant`: as in MachineExplainRequest. */
  readonly explain: (grant: string, method: string, paths: readonly string[]) => Promise<Explanation>;
}

/** Bytes of a challenge. */
const NONCE_BYTES = 32;

/** The handlers of `Machine`. `signHead`: the machine's word on where its audit chain ends, with the asker's challenge. */
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
    async info(_request, call) {
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
