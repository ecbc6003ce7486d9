import { z } from "zod";
import { isErrorCode } from "../errors/table.ts";

/**
 * The records of the two chains. `at`: milliseconds since 1970, by the recorder's clock. `call`: the id that
 * the relay (or the machine, for its local door) gave the call. `ms`: a duration in milliseconds. Never
 * recorded: values of variables, input, content of files, secrets of any kind.
 */
const at = z.number().min(0);
const call = z.uuid();
/** A caller's own id for a job: a UUID of any version. */
const job = z.guid();
const ms = z.number().min(0);
const text = z.string();

/**
 * The calling key: its id, `local` for a caller of the local socket without a token, null if the caller could
 * not be identified.
 */
const key = z.string().max(64).nullable();

/** The end of a call: `Ok`, or the code of its error. */
const code = z
  .string()
  .refine((value) => value === "Ok" || isErrorCode(value), "expected Ok or an error's code");

/**
 * A call that was refused before it ran. `count`: number of equal refusals in this record; the first few are
 * written singly, at once.
 */
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
 * Calls of one key that were counted because it had filled its share of the chain. `calls`: calls that have
 * begun since the previous record of this kind; the first began after this record was on disk. `failed`:
 * calls that have ended with an error since then.
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
 * The system clock has jumped by `aheadMs` relative to the time that has passed. `believed`: it has kept the
 * new time, and grants end by it from now on. `returned`: it has gone back. The `at` of records in between is
 * by the clock as it was.
 */
const clock = z.strictObject({
  type: z.literal("clock"),
  at,
  state: z.enum(["jumped", "believed", "returned"]),
  aheadMs: z.int(),
});

const relayRecordSchema = z.discriminatedUnion("type", [
  /** The relay has begun to record after a start. Earlier calls without an end are unknown. */
  z.strictObject({ type: z.literal("started"), at, version: text }),
  /** Written before a call is forwarded. `machine`: the machine's id; null for the relay's own services. */
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
  /** Written when the call has ended for the caller. Bytes are those of message bodies. */
  z.strictObject({
    type: z.literal("end"),
    at,
    call,
    code,
    ms,
    bytesIn: z.int().min(0),
    bytesOut: z.int().min(0),
  }),
  /**
   * `machine`: the machine's id; null for the relay's own services, `*` for several. Bytes are those of
   * message bodies of the calls that have ended.
   */
  z.strictObject({
    ...counted,
    machine: text.nullable(),
    machineName: text,
    bytesIn: z.int().min(0),
    bytesOut: z.int().min(0),
  }),
  /**
   * Two agents have used the key of a machine, and neither is admitted any more; or the owner has released
   * it. `machine`: its id.
   */
  z.strictObject({
    type: z.literal("quarantine"),
    at,
    machine: text,
    machineName: text,
    state: z.enum(["begun", "released"]),
    /** Address of the hello that revealed it; empty for a release. */
    address: text,
  }),
  clock,
  /** `machine`: the id or name that the caller asked for. */
  z.strictObject({ ...refused, address: text, machine: text.nullable() }),
]);

/** A record of the relay's own chain. */
export type RelayRecord = z.infer<typeof relayRecordSchema>;

const machineRecordSchema = z.discriminatedUnion("type", [
  /** The agent has started. Earlier calls without an end are unknown. */
  z.strictObject({ type: z.literal("started"), at, version: text }),
  /** Written before a call runs. `what`: its exact description, redacted according to the policy. */
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
  /** Written when the call has ended. */
  z.strictObject({ type: z.literal("end"), at, call, code, ms }),
  z.strictObject({ ...counted, door: z.enum(["relay", "local"]) }),
  z.strictObject({ ...refused, door: z.enum(["relay", "local"]), what: text.optional() }),
  /** A job has ended, perhaps long after the call that started it. `outcome`: as in the SDK's results. */
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
  /**
   * A call waits for a person, or a person has answered, or nobody has in time. `by`: id of the answering
   * key.
   */
  z.strictObject({
    type: z.literal("approval"),
    at,
    approval: z.uuid(),
    call,
    /** Hash of the call to which an approval is bound. */
    hash: text.optional(),
    state: z.enum(["asked", "approved", "refused", "expired", "withdrawn"]),
    by: key.optional(),
    byName: text.optional(),
    reason: text.optional(),
  }),
  clock,
  /**
   * A new policy is in force, or a broken file was refused and the last good policy stays. `hash`: SHA-256 of
   * the file, base64url.
   */
  z.strictObject({ type: z.literal("policy"), at, hash: text.nullable(), error: text.optional() }),
  /** The machine has lost its memory of jobs. `what`: the lost part, and the place of the rest. */
  z.strictObject({ type: z.literal("lost"), at, what: text }),
]);

/** A record of a machine's chain. */
export type MachineAuditRecord = z.infer<typeof machineRecordSchema>;

/** A record of either chain. */
export type AnyAuditRecord = RelayRecord | MachineAuditRecord;

/**
 * Reads the body of a record of the relay's or a machine's chain. Returns undefined if it is not valid, since
 * bodies come from machines.
 */
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
