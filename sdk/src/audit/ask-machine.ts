import { randomBytes } from "node:crypto";
import {
  type ChainHead,
  CmdopError,
  Machine as MachineService,
  type PublicKey,
  verifyHead,
} from "@cmdop/proto";
import type { MachineCaller } from "../connection/caller.ts";

/** Length of a challenge, in bytes. */
const NONCE_BYTES = 32;

/**
 * Longest wait for a machine's signed head, in milliseconds. A machine that hangs must not hold up the
 * others.
 */
const ANSWER_TIMEOUT_MS = 10_000;

/**
 * A machine's answer about its chain: its head, that it is offline, or the reason for having no valid answer.
 */
export type MachineAnswer =
  | { readonly kind: "head"; readonly head: ChainHead }
  | { readonly kind: "offline" }
  | { readonly kind: "failed"; readonly why: string };

/** Asks a machine for the head of its audit chain. The challenge keeps an old answer from being accepted. */
export async function askMachine(machine: MachineCaller, machineKey: PublicKey): Promise<MachineAnswer> {
  const service = machine.client(MachineService);
  const nonce = randomBytes(NONCE_BYTES);
  try {
    const { head: statement } = await machine.invoke("/cmdop.v1.Machine/AuditHead", (call) =>
      service.auditHead({ nonce }, { ...call, timeoutMs: ANSWER_TIMEOUT_MS }),
    );
    const head = await verifyHead(statement, machineKey);
    if (head.nonce === nonce.toString("base64url")) return { kind: "head", head };
    return { kind: "failed", why: "its answer is to another question" };
  } catch (thrown) {
    const { code, message } = CmdopError.from(thrown);
    return code === "MachineOffline" ? { kind: "offline" } : { kind: "failed", why: `${code}, ${message}` };
  }
}
