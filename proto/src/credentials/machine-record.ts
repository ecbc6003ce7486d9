import { z } from "zod";
import type { KeyPair, PublicKey } from "./ed25519.ts";
import { bytes32Schema, labelsSchema, nameSchema, seqSchema } from "./fields.ts";
import { ownerKey } from "./roster.ts";
import { readUnverified, type StatementKind, signStatement, verifyStatement } from "./statement.ts";

const machineRecordSchema = z.strictObject({
  /** Thumbprint of the machine's key. */
  id: bytes32Schema,
  /** The name that the owner gave it. */
  name: nameSchema,
  /** The labels that the owner gave it. */
  labels: labelsSchema,
  /** A record replaces those with a lower seq; the join token counts as 0. */
  seq: seqSchema.min(1),
});

/** The owner's statement about a machine: machines do not name or label themselves. */
export type MachineRecord = z.infer<typeof machineRecordSchema>;

const MACHINE_RECORD: StatementKind<MachineRecord> = {
  type: "cmdop-machine",
  claims: machineRecordSchema,
  refusal: "LinkRefused",
};

/** Signs a machine record. */
export function signMachineRecord(record: MachineRecord, owner: KeyPair): Promise<string> {
  return signStatement(MACHINE_RECORD, record, owner);
}

/** Verifies a machine record against the owners of the roster. */
export async function verifyMachineRecord(
  statement: string,
  owners: readonly PublicKey[],
): Promise<MachineRecord> {
  return (await verifyStatement(MACHINE_RECORD, statement, ownerKey(owners))).claims;
}

/** Reads a machine record that was verified before, from a place that only its holder can write. */
export function readMachineRecord(statement: string): MachineRecord {
  return readUnverified(MACHINE_RECORD, statement).claims;
}
