import { z } from "zod";
import { isErrorCode } from "../errors/table.ts";

/**
 * What the two chains record. `at` is milliseconds since 1970 by the clock of
 * whoever made the record, `call` the id that the relay (or for its local door
 * the machine) gave the call, `ms` a duration in milliseconds. Never recorded:
 * values of variables, input, content of files, secrets of any kind.
 */
const at = z.number().min(0);
const call = z.uuid();
/** A caller's own name for a job: written as a UUID, of whatever version. */
const job = z.guid();
const ms = z.number().min(0);
const text = z.string();

/** The calling key: its id, `local` for a caller of the local socket without a token, null where nobody could be made out. */
const key = z.string().max(64).nullable();

/** How a call ended: `Ok`, or the code of its error. */
const code = z
  .string()
  .refine((value) => value === "Ok" || isErrorCode(value), "expected Ok or an error's code");

/** A call that was refused before it ran. `count`: how many alike in a row; only the first of them was written at once. */
const refused = {
  type: z.literal("refused"),
  at,
  call,
  key,
  keyName: text,
  method: text,
  code,
  count: z.int().min(1),
};

/**
 * Calls of one key that were counted, since it had filled its share of the chain
 * with records: `calls` have begun since the record before of the same kind, the
 * first of them after this record was on disk; `failed` of those that have ended
 * since then ended with an error.
 */
const counted = {
  type: z.literal("counted"),
  at,
  key,
  keyName: text,
  method: text,
  calls: z.int().min(0),
  failed: z.int().min(0),
};

/**
 * The system clock has jumped against the time that has passed, by `aheadMs`;
 * `believed`: it has stood by it, and grants end by it from now on; `returned`: it
 * has gone back. The `at` of records of meanwhile is by the clock as it was.
 */
const clock = z.strictObject({
  type: z.literal("clock"),
  at,
  state: z.enum(["jumped", "believed", "returned"]),
  aheadMs: z.int(),
});

const relayRecordSchema = z.discriminatedUnion("type", [
  /** The relay has begun to record, after a start. Calls of before it that have no end are unknown. */
  z.strictObject({ type: z.literal("started"), at, version: text }),
  /** Written before a call goes on. `machine`: the machine's id, null for the relay's own services. */
  z.strictObject({
    type: z.literal("begin"),
    at,
    call,
    key,
    keyName: text,
    address: text,
    machine: text.nullable(),
    machineName: text,
    method: text,
  }),
  /** Written when the call is over for the caller. Bytes: of message bodies. */
  z.strictObject({
    type: z.literal("end"),
    at,
    call,
    code,
    ms,
    bytesIn: z.int().min(0),
    bytesOut: z.int().min(0),
  }),
  /** `machine`: the machine's id, null for the relay's own services, `*` for various. Bytes: of message bodies of the calls that have ended. */
  z.strictObject({
    ...counted,
    machine: text.nullable(),
    machineName: text,
    bytesIn: z.int().min(0),
    bytesOut: z.int().min(0),
  }),
  /** Two agents have used the key of a machine, and neither is let in any more; or the owner has released it. `machine`: its id. */
  z.strictObject({
    type: z.literal("quarantine"),
    at,
    machine: text,
    machineName: text,
    state: z.enum(["begun", "released"]),
    /** Where the hello came from that showed it; empty for a release. */
    address: text,
  }),
  clock,
  /** `machine`: what the caller asked for, an id or a name. */
  z.strictObject({ ...refused, address: text, machine: text.nullable() }),
]);

/** A record of the relay's own chain. */
export type RelayRecord = z.infer<typeof relayRecordSchema>;

const machineRecordSchema = z.discriminatedUnion("type", [
  /** The agent has started. Calls of before it that have no end are unknown. */
  z.strictObject({ type: z.literal("started"), at, version: text }),
  /** Written before a call runs. `what`: exactly what is to be done, redacted as the policy says. */
  z.strictObject({
    type: z.literal("begin"),
    at,
    call,
    door: z.enum(["relay", "local"]),
    key,
    keyName: text,
    method: text,
    what: text.optional(),
    job: job.optional(),
  }),
  /** Written when the call is over. */
  z.strictObject({ type: z.literal("end"), at, call, code, ms }),
  z.strictObject({ ...counted, door: z.enum(["relay", "local"]) }),
  z.strictObject({ ...refused, door: z.enum(["relay", "local"]), what: text.optional() }),
  /** A job has ended, which may be long after the call that started it. `outcome` as in the SDK's results. */
  z.strictObject({
    type: z.literal("job"),
    at,
    job,
    key,
    outcome: text,
    exitCode: z.int().optional(),
    signal: text.optional(),
    reason: text.optional(),
    ms,
  }),
  /** A call waits for a person, or one has answered, or nobody has in time. `by`: the answering key's id. */
  z.strictObject({
    type: z.literal("approval"),
    at,
    approval: z.uuid(),
    call,
    /** What a yes is for: the hash that an approval carries. */
    hash: text.optional(),
    state: z.enum(["asked", "approved", "refused", "expired", "withdrawn"]),
    by: key.optional(),
    byName: text.optional(),
    reason: text.optional(),
  }),
  clock,
  /** Another policy is in force, or a broken file was refused and the last good one stays. `hash`: SHA-256 of the file, base64url. */
  z.strictObject({ type: z.literal("policy"), at, hash: text.nullable(), error: text.optional() }),
  /** The machine has lost what it knew of jobs: `what`, and where the rest of it is. */
  z.strictObject({ type: z.literal("lost"), at, what: text }),
]);

/** A record of a machine's chain. */
export type MachineAuditRecord = z.infer<typeof machineRecordSchema>;

/** Any record, as it is read from either chain. */
export type AnyAuditRecord = RelayRecord | MachineAuditRecord;

/** Reads the body of a record of the relay's chain, or of a machine's. Undefined for what is none: bodies come from machines. */
export function readAuditRecord(body: Uint8Array, maker: "machine"): MachineAuditRecord | undefined;
export function readAuditRecord(body: Uint8Array, maker: "relay"): RelayRecord | undefined;
export function readAuditRecord(body: Uint8Array, maker: "relay" | "machine"): AnyAuditRecord | undefined;
export function readAuditRecord(body: Uint8Array, maker: "relay" | "machine"): AnyAuditRecord | undefined {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(body));
  } catch (thrown) {
    if (thrown instanceof SyntaxError || thrown instanceof TypeError) return undefined;
    throw thrown;
  }
  return (maker === "relay" ? relayRecordSchema : machineRecordSchema).safeParse(json).data;
}
