import { pause } from "@cmdop/kit";
import {
  type AuditChainsResponse_Kept,
  Audit as AuditService,
  CmdopError,
  mayHaveRun,
  type PublicKey,
  readAuditRecord,
  thumbprint,
  verifyHead,
  visible,
} from "@cmdop/proto";
import type { MachineCaller } from "../connection/caller.ts";
import type { MachineStatus } from "../relay/machines.ts";
import { askMachine, type MachineAnswer } from "./ask-machine.ts";
import { ChainCheck, type Mark } from "./chain-check.ts";
import type { AuditChainReport, AuditHeads, AuditReport } from "./types.ts";

const READ = "/cmdop.relay.v1.Audit/Read";

/** Most machines that are asked at the same time. */
const ASKED_AT_ONCE = 16;

/** Longest time that the relay's copy may lag behind a machine's latest answer, in milliseconds. */
const COPY_LAG_MS = 5_000;

/** Interval between looks at the copy meanwhile, in milliseconds. */
const COPY_POLL_MS = 100;

/** Most attempts to read one chain over lost connections. */
const MAX_READ_ATTEMPTS = 5;

/** Result for a chain that still has its old beginning. */
const NOTHING_GONE = { gone: 0, warnings: [] } as const;

/** The input of a verification. */
export interface Verification {
  readonly relay: MachineCaller;
  readonly machines: readonly MachineStatus[];
  /** Only this machine's chains. */
  readonly machineId: string | undefined;
  readonly heads: AuditHeads;
  /** Returns the caller of a machine; undefined if none is to be asked. */
  readonly callerOf: ((machineId: string) => MachineCaller) | undefined;
  readonly signal: AbortSignal | undefined;
}

/** Recomputes the chains that a relay keeps and compares them with all trusted marks. */
export async function verifyChains(verification: Verification): Promise<AuditReport> {
  const { relay, machineId, heads, signal } = verification;
  const service = relay.client(AuditService);
  const { chains } = await relay.invoke("/cmdop.relay.v1.Audit/Chains", (call) => service.chains({}, call), {
    signal,
  });
  const kept = chains.filter(({ chain }) => machineId === undefined || chain?.machineId === machineId);
  const answers = await askMachines(verification, kept);
  const reports: AuditChainReport[] = [];
  for (const one of kept) reports.push(await verifyChain(verification, one, answers));
  for (const report of missingChains(verification, kept, answers)) reports.push(report);
  const ok = reports.every(({ problems }) => problems.length === 0);
  const notes = [...notesOn(verification, kept)];
  return { ok, chains: reports, notes, heads: nextHeads(reports, heads) };
}

/** Yields notes on lost chains, the only trace of a deleted chain whose head was not kept. */
function* notesOn(
  { machines, machineId }: Verification,
  kept: readonly AuditChainsResponse_Kept[],
): Generator<string> {
  for (const { id, name, online } of machines) {
    if (machineId !== undefined && id !== machineId) continue;
    const chains = kept.filter(({ chain }) => chain?.machineId === id);
    if (chains.length > 1) {
      yield `Machine ${name} has begun ${chains.length} chains: each time its audit files were lost, damaged or deleted.`;
    }
    if (chains.length === 0 && online) {
      yield `The relay keeps no chain of machine ${name}, which is online: it has just joined, or the relay's copy is gone.`;
    }
  }
}

async function verifyChain(
  verification: Verification,
  kept: AuditChainsResponse_Kept,
  answers: ReadonlyMap<string, MachineAnswer>,
): Promise<AuditChainReport> {
  const { machines, heads } = verification;
  const id = kept.chain?.id ?? "";
  const machineId = kept.chain?.machineId || null;
  const marks: Mark[] = heads
    .filter(({ chain }) => chain === id)
    .map(({ seq, hash }) => ({ seq, hash, who: "The head that was kept elsewhere" }));
  // There is no hash if the relay can't read its copy; reading the chain gives the reason.
  if (kept.hash.length > 0) {
    marks.push({ seq: Number(kept.lastSeq), hash: base64url(kept.hash), who: "The relay's own word" });
  }
  const complaints: string[] = [];
  if (heads.some((head) => head.chain === id && head.machineId !== machineId)) {
    complaints.push("The chain belonged to another machine when its head was kept.");
  }
  const key = base64url(kept.machineKey);
  let confirmed: boolean | null = null;
  let saidSeq = 0;
  if (machineId !== null) {
    if (thumbprint(key) !== machineId) complaints.push("The key that the relay shows is not this machine's.");
    else
      await signedMark(kept, key).then(
        (mark) => mark && marks.push(mark),
        (thrown) => {
          complaints.push(
            `The machine's signed head is not valid: ${visible(CmdopError.from(thrown).message)}`,
          );
        },
      );
    const answer = answers.get(machineId);
    if (answer?.kind === "head" && answer.head.chain === id) {
      marks.push({ seq: answer.head.seq, hash: answer.head.hash, who: "The machine's own word" });
      confirmed = true;
      saidSeq = answer.head.seq;
    }
    if (answer?.kind === "failed") {
      confirmed = false;
      complaints.push(`The machine could not be asked: ${visible(answer.why)}`);
    }
  }
  const check = new ChainCheck(id, marks, visible(kept.behind));
  for (const complaint of complaints) check.problem(complaint);
  await readChain(verification, id, check, saidSeq);
  check.finish();
  const moved = movedSince(
    heads.find(({ chain }) => chain === id),
    check,
    machineId,
  );
  const name = machines.find((machine) => machine.id === machineId)?.name;
  return {
    chain: id,
    machineId,
    ...(name === undefined ? {} : { machineName: name }),
    first: check.first,
    last: check.last,
    hash: check.hash,
    confirmed: confirmed === true ? check.problems.length === 0 : confirmed,
    problems: check.problems,
    ...moved,
  };
}

/**
 * Counts the verified records that were kept at the time of the head and no longer are: the relay has dropped
 * old ones to stay within its limit, or they were removed.
 */
function movedSince(
  head: AuditHeads[number] | undefined,
  { first, last, firstRecord }: ChainCheck,
  machineId: string | null,
): Pick<AuditChainReport, "gone" | "warnings"> {
  if (head?.first === undefined) return NOTHING_GONE;
  const from = Math.max(1, head.first);
  const next = first === 0 ? last + 1 : first;
  const gone = Math.min(next - 1, head.seq) - from + 1;
  if (gone <= 0) return NOTHING_GONE;
  const record = firstRecord && readAuditRecord(firstRecord, machineId === null ? "relay" : "machine");
  const since =
    head.atMs === undefined ? "when its head was kept" : `on ${new Date(head.atMs).toISOString()}`;
  const oldest = record === undefined ? "" : ` The oldest is now of ${new Date(record.at).toISOString()}.`;
  return {
    gone,
    warnings: [
      `${gone} records (${from} to ${from + gone - 1}) that were kept ${since} are gone: more came than is kept.${oldest}`,
    ],
  };
}

/**
 * Reads a chain to its end. Waits a moment for the relay's copy if the machine has just named a later end.
 */
async function readChain(
  { relay, signal }: Verification,
  chainId: string,
  check: ChainCheck,
  saidSeq: number,
): Promise<void> {
  const service = relay.client(AuditService);
  const deadline = performance.now() + COPY_LAG_MS;
  for (let lost = 0; ; ) {
    signal?.throwIfAborted();
    try {
      const options = await relay.options(READ, { signal });
      for await (const batch of service.read({ chainId, after: BigInt(check.last) }, options)) {
        if (!check.add(batch)) return;
      }
    } catch (thrown) {
      const error = CmdopError.from(thrown);
      if (error.code === "AuditBroken")
        return check.problem(`The relay can't read it: ${visible(error.message)}`);
      lost += 1;
      if (!mayHaveRun(error) || lost >= MAX_READ_ATTEMPTS) throw error;
    }
    if (check.last >= saidSeq || performance.now() > deadline) return;
    await pause(COPY_POLL_MS);
  }
}

/** Returns the mark from the machine's signed head; undefined if there is none yet. */
async function signedMark(kept: AuditChainsResponse_Kept, key: PublicKey): Promise<Mark | undefined> {
  if (kept.head === "") {
    // The relay had no disk space to write the head beside the records.
    if (kept.lastSeq === 0n || kept.behind !== "") return undefined;
    throw new CmdopError("AuditBroken", "there is none, though there are records.");
  }
  const head = await verifyHead(kept.head, key);
  if (head.chain !== kept.chain?.id) throw new CmdopError("AuditBroken", "it is about another chain.");
  return { seq: head.seq, hash: head.hash, who: "The machine's signed head" };
}

/** Asks every machine that is online and has a chain here for the end of its chain. */
async function askMachines(
  { callerOf, machines }: Verification,
  kept: readonly AuditChainsResponse_Kept[],
): Promise<Map<string, MachineAnswer>> {
  const answers = new Map<string, MachineAnswer>();
  if (callerOf === undefined) return answers;
  const online = new Set(machines.filter((machine) => machine.online).map(({ id }) => id));
  const keys = new Map<string, PublicKey>();
  for (const { chain, machineKey } of kept) {
    const machineId = chain?.machineId ?? "";
    if (online.has(machineId) && thumbprint(base64url(machineKey)) === machineId) {
      keys.set(machineId, base64url(machineKey));
    }
  }
  const waiting = [...keys];
  const worker = async (): Promise<void> => {
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const [machineId, key] = next;
      answers.set(machineId, await askMachine(callerOf(machineId), key));
    }
  };
  await Promise.all(Array.from({ length: ASKED_AT_ONCE }, worker));
  return answers;
}

/** Yields a report for each chain that a head or a machine names and the relay does not have. */
function* missingChains(
  { heads, machineId }: Verification,
  kept: readonly AuditChainsResponse_Kept[],
  answers: ReadonlyMap<string, MachineAnswer>,
): Generator<AuditChainReport> {
  const ids = new Set(kept.map(({ chain }) => chain?.id));
  const nothing = { first: 0, last: 0, hash: "", confirmed: null, ...NOTHING_GONE };
  for (const head of heads) {
    if (ids.has(head.chain) || (machineId !== undefined && head.machineId !== machineId)) continue;
    const problems = [`The relay no longer keeps this chain; it had ${head.seq} records.`];
    yield { ...nothing, chain: head.chain, machineId: head.machineId, problems };
  }
  for (const [machine, answer] of answers) {
    if (answer.kind !== "head" || ids.has(answer.head.chain)) continue;
    const problems = ["This is the machine's present chain, but the relay keeps no copy of it."];
    yield { ...nothing, chain: answer.head.chain, machineId: machine, confirmed: false, problems };
  }
}

/**
 * Returns the heads for next time. A chain with problems keeps its old head, so that the finding can be
 * repeated.
 */
function nextHeads(reports: readonly AuditChainReport[], heads: AuditHeads): AuditHeads {
  const next = new Map(heads.map((head) => [head.chain, head]));
  const atMs = Date.now();
  for (const { chain, machineId, first, last, hash, problems } of reports) {
    if (problems.length === 0) next.set(chain, { chain, machineId, seq: last, hash, first, atMs });
  }
  return [...next.values()];
}

function base64url(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64url");
}
