import { type ApprovalInfo, type Approvals, CMDOPClient, CmdopError } from "@cmdop/sdk";
import { meant } from "../console/meant.ts";
import { printable } from "../console/printable.ts";
import { shortId } from "../console/short-ids.ts";
import { isoTime } from "../console/time.ts";
import { machineMeant } from "../machines/on-machine.ts";
import { shortMethod } from "../policy/method-name.ts";

/** Machines that are asked at once: each costs the relay and this process a stream. */
const MACHINES_AT_ONCE = 8;

const SOUGHT = {
  noun: "approval",
  none: "No call waits whose approval id begins with",
  listedBy: "cmdop approvals",
  gone: "It was answered already, or nobody answered in time, or its caller left.",
  unknown: "NotFound",
  ambiguous: "Ambiguous",
} as const;

/** The shortest beginning of a hash that is compared: with fewer characters too many calls would have it. */
const MIN_HASH_CHARS = 4;

/** What of a request's hash is shown: long enough that nobody finds another call with the same beginning in its time. */
const SHORT_HASH_CHARS = 16;

/** A call that waits, and where. */
export interface Waiting extends ApprovalInfo {
  /** The machine's name; `local` for this machine's own socket. */
  readonly machine: string;
  /** What the machine is addressed by: its id, or the name that was given. */
  readonly machineId: string;
}

/** Whose calls are meant. */
export interface Where {
  readonly machine?: string | undefined;
  /** Through this machine's own socket. */
  readonly local?: boolean | undefined;
}

/** A machine whose approvals can be listed and answered. */
export interface Desk {
  readonly machine: string;
  readonly machineId: string;
  readonly approvals: Approvals;
}

/** The client for that. */
export function approvalsClient({ local = false }: Where): CMDOPClient {
  return local ? CMDOPClient.local() : CMDOPClient.fromProfile();
}

/** The machine that is meant, else all that the key reaches and that are online now. */
export async function desks(client: CMDOPClient, { machine, local = false }: Where): Promise<Desk[]> {
  if (local) return [{ machine: "local", machineId: "local", approvals: client.approvals }];
  const { machines } = await client.whoAmI();
  if (machine !== undefined) {
    const called = machineMeant(machine, machines);
    return [{ machine, machineId: called, approvals: client.machine(called).approvals }];
  }
  return machines
    .filter(({ online }) => online)
    .map(({ id, name }) => ({ machine: name, machineId: id, approvals: client.machine(id).approvals }));
}

/** What waits on these machines, the oldest first, and which of them could not be asked. */
export async function listWaiting(
  asked: readonly Desk[],
): Promise<{ waiting: Waiting[]; failed: { machine: string; error: CmdopError }[] }> {
  const waiting: Waiting[] = [];
  const failed: { machine: string; error: CmdopError }[] = [];
  const queue = asked.values();
  const worker = async (): Promise<void> => {
    for (const { machine, machineId, approvals } of queue) {
      try {
        for (const approval of await approvals.list()) waiting.push({ ...approval, machine, machineId });
      } catch (thrown) {
        failed.push({ machine, error: CmdopError.from(thrown) });
      }
    }
  };
  await Promise.all(Array.from({ length: MACHINES_AT_ONCE }, worker));
  waiting.sort((one, other) => one.askedAtMs - other.askedAtMs);
  return { waiting, failed };
}

/** The only call that waits and whose id begins with the text. @throws CmdopError NotFound, Ambiguous, InvalidArgument */
export function onlyWaiting(waiting: readonly Waiting[], text: string): Waiting {
  const among = waiting.map((call) => ({ id: call.approvalId, about: call.what, call }));
  return meant(text, among, SOUGHT).call;
}

/** Refuses an answer to another call than the one that was seen. `hash`: how its hash begins, as it was shown. */
export function checkHash({ requestHash }: Waiting, hash: string): void {
  if (hash.length >= MIN_HASH_CHARS && requestHash.startsWith(hash)) return;
  throw new CmdopError("InvalidArgument", `The call that waits has not the hash ${JSON.stringify(hash)}.`, {
    next: "Look at what waits now: cmdop approvals shows it, and its hash.",
  });
}

/** A call that waits as people read it: who, until when and its hash, and below it what will run. */
export function waitingText({
  approvalId,
  machine,
  keyName,
  keyId,
  method,
  requestHash,
  what,
  expiresAtMs,
}: Waiting): string {
  const who = keyName === "" || keyName === keyId ? keyId : `${keyName} (${shortId(keyId)})`;
  const hash = requestHash.slice(0, SHORT_HASH_CHARS);
  const head = `${approvalId}  ${machine}  ${shortMethod(method)}  by ${who}  until ${isoTime(expiresAtMs)}  hash ${hash}`;
  return [head, ...what.split("\n").map((line) => `  ${line}`)]
    .map((line) => `${printable(line)}\n`)
    .join("");
}
