import { type ApprovalInfo, type Approvals, CMDOPClient, CmdopError } from "@cmdop/sdk";
import { printable } from "../console/printable.ts";
import { isoTime } from "../console/time.ts";
import { shortMethod } from "../policy/method-name.ts";

/** Machines that are asked at once: each costs the relay and this process a stream. */
const MACHINES_AT_ONCE = 8;

/** The shortest beginning of an id that is taken for one. */
const MIN_PREFIX_CHARS = 4;

/** What of a request's hash is shown: long enough that nobody finds another call with the same beginning in its time. */
const SHORT_HASH_CHARS = 16;

/** A whole approval id. */
const APPROVAL_ID = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/;

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
  if (machine !== undefined)
    return [{ machine, machineId: machine, approvals: client.machine(machine).approvals }];
  const { machines } = await client.whoAmI();
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

/** The only call that waits and whose id begins with the text. */
export function onlyWaiting(waiting: readonly Waiting[], text: string): Waiting {
  if (!APPROVAL_ID.test(text) && text.length < MIN_PREFIX_CHARS) {
    throw new CmdopError("InvalidArgument", `${JSON.stringify(text)} is too short for an approval's id.`, {
      next: `Give the id, or at least its first ${MIN_PREFIX_CHARS} characters: cmdop approvals shows it.`,
    });
  }
  const [only, ...others] = waiting.filter(({ approvalId }) => approvalId.startsWith(text));
  if (only === undefined) {
    throw new CmdopError("NotFound", `No call waits whose approval id begins with ${text}.`, {
      next: "It was answered already, or nobody answered in time, or its caller left. cmdop approvals lists what waits.",
    });
  }
  if (others.length === 0) return only;
  throw new CmdopError("InvalidArgument", `${text} is the beginning of ${others.length + 1} ids.`, {
    next: "Give more of the id.",
  });
}

/** Refuses an answer to another call than the one that was seen. `hash`: how its hash begins, as it was shown. */
export function checkHash({ requestHash }: Waiting, hash: string): void {
  if (hash.length >= MIN_PREFIX_CHARS && requestHash.startsWith(hash)) return;
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
  const who = keyName === "" || keyName === keyId ? keyId : `${keyName} (${keyId})`;
  const hash = requestHash.slice(0, SHORT_HASH_CHARS);
  const head = `${approvalId}  ${machine}  ${shortMethod(method)}  by ${who}  until ${isoTime(expiresAtMs)}  hash ${hash}`;
  return [head, ...what.split("\n").map((line) => `  ${line}`)]
    .map((line) => `${printable(line)}\n`)
    .join("");
}
