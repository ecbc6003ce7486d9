import type { ClientHttp2Session } from "node:http2";
import { pause, within } from "@cmdop/kit";
import {
  CmdopError,
  isDiskTrouble,
  type Link as LinkService,
  type MessageOf,
  type PublicKey,
} from "@cmdop/proto";
import { linkClient } from "../control/link-client.ts";
import type { Link } from "../data/link.ts";
import type { Log } from "../log.ts";
import type { Chains } from "./chains.ts";
import { type CheckedBatch, checkBatch } from "./check-batch.ts";
import type { KeptChain } from "./kept-chain.ts";

/** Pause before a broken pull on a link that is still up is tried again, in milliseconds. */
const RETRY_MS = 10_000;

/**
 * Shortest pause between two batches of one machine, in milliseconds. Each batch costs a signature check, and
 * a machine may be in wrong hands. 12 MB/s remain possible.
 */
const BATCH_INTERVAL_MS = 20;

/**
 * Pause after a batch, as a multiple of the time that the batch took: no machine gets more than a quarter of
 * the relay's thread.
 */
const REST_PER_WORK = 3;

/**
 * Largest message that is read, in bytes: a batch of records, the last of which may be a long one, and its
 * head.
 */
const MAX_BATCH_BYTES = 512 * 1024;

type AuditMessage = MessageOf<typeof LinkService.method.audit.output>;

/** Options of the puller. */
export interface PullerOptions {
  readonly chains: Chains;
  /** Returns the public key of a machine that has joined. */
  readonly machineKey: (machineId: string) => PublicKey | undefined;
  readonly log: Log;
  readonly retryMs?: number | undefined;
}

/** A pull under way. */
interface Pull {
  readonly leaving: AbortController;
  readonly done: Promise<void>;
}

/** The machine that a pull is from. */
interface Source {
  readonly id: string;
  readonly name: string;
  readonly key: PublicKey;
}

/** Keeps the copies of the machines' chains up to date while their interactive links are up. */
export class Puller {
  readonly #options: PullerOptions;
  readonly #pulls = new Map<string, Pull>();
  readonly #toldOff = new Set<string>();
  /** Chains with a batch that did not follow; no batch of them is taken until the relay restarts. */
  readonly #distrusted = new Set<string>();
  /**
   * Reason that the copy of a machine's chain lags behind, by machine, for those whose last batch could not
   * be kept.
   */
  readonly #behind = new Map<string, string>();
  #woken = Promise.withResolvers<void>();
  #closed = false;

  constructor(options: PullerOptions) {
    this.#options = options;
  }

  /** Begins to pull on a link that has come up. An older pull from the same machine ends first. */
  up(link: Link): void {
    const state = link.state();
    if (this.#closed || state.kind !== "up" || state.admission.lane !== "interactive") return;
    const { machineId, machineName } = state.admission;
    const before = this.#pulls.get(machineId);
    before?.leaving.abort();
    const leaving = new AbortController();
    const done = (before?.done ?? Promise.resolve())
      .then(() => this.#pullWhileUp(link, machineId, machineName, leaving.signal))
      .catch((thrown) =>
        this.#options.log.error("audit pull failed", { machine: machineName, message: String(thrown) }),
      )
      .finally(() => {
        if (this.#pulls.get(machineId)?.leaving === leaving) this.#pulls.delete(machineId);
      });
    this.#pulls.set(machineId, { leaving, done });
  }

  /** Returns the reason that the copies of a machine's chains lag behind it; empty if none is known. */
  behindOf(machineId: string): string {
    return this.#behind.get(machineId) ?? "";
  }

  /** Pulls at once the batches that could not be kept, because the disk takes writes again. */
  retryNow(): void {
    this.#woken.resolve();
    this.#woken = Promise.withResolvers();
  }

  async close(): Promise<void> {
    this.#closed = true;
    const pulls = [...this.#pulls.values()];
    for (const { leaving } of pulls) leaving.abort();
    await Promise.all(pulls.map(({ done }) => done));
  }

  async #pullWhileUp(link: Link, id: string, name: string, signal: AbortSignal): Promise<void> {
    const { log, machineKey, retryMs = RETRY_MS } = this.#options;
    while (!signal.aborted && link.state().kind === "up") {
      const key = machineKey(id);
      if (key === undefined) return;
      try {
        await link.tell((session) => this.#pull(session, { id, name, key }, signal));
      } catch (thrown) {
        if (signal.aborted || link.state().kind !== "up") return;
        const error = CmdopError.from(thrown);
        if (error.code === "Unimplemented") {
          if (!this.#toldOff.has(id)) log.warn("agent keeps no audit chain", { machine: name, id });
          this.#toldOff.add(id);
          return;
        }
        log.error("audit pull stopped", { machine: name, id, code: error.code, message: error.message });
        // A machine would repeat its own fault; a disk or a connection may recover.
        if (["AuditBroken", "LimitExceeded", "LinkRefused", "MessageTooLarge"].includes(error.code)) return;
        if (isDiskTrouble(thrown)) this.#behind.set(id, error.message);
      }
      await within(this.#woken.promise, retryMs, { signal });
    }
  }

  async #pull(session: ClientHttp2Session, source: Source, signal: AbortSignal): Promise<void> {
    const newest = this.#openable(source.id);
    const asked = { chain: newest?.origin.chain ?? "", after: BigInt(newest?.log.head.seq ?? 0) };
    let isFirst = true;
    for await (const message of linkClient(session).audit(asked, {
      signal,
      maxAnswerBytes: MAX_BATCH_BYTES,
    })) {
      if (!isFirst && message.records.length === 0) {
        throw new CmdopError("LinkRefused", "The machine sends batches of its audit chain without records.");
      }
      isFirst = false;
      const beganAt = performance.now();
      await this.#take(message, source);
      const restMs = REST_PER_WORK * (performance.now() - beganAt);
      await pause(Math.max(BATCH_INTERVAL_MS, restMs), { signal });
    }
  }

  /** Adds a batch to its copy, or keeps it as evidence and throws. */
  async #take(message: AuditMessage, source: Source): Promise<void> {
    const { chains } = this.#options;
    if (this.#distrusted.has(message.chain)) {
      throw new CmdopError("AuditBroken", `The audit chain ${message.chain} did not follow its copy before.`);
    }
    try {
      const batch = await checkBatch(message, source.key);
      const kept = chains.begin(source.id, source.key, batch.chain);
      append(kept, batch);
      kept.keepHead(batch.statement);
      this.#behind.delete(source.id);
      chains.changed();
    } catch (thrown) {
      const error = CmdopError.from(thrown);
      if (error.code === "AuditBroken") {
        // Only a chain that this machine has a copy of: it must not be able to block another machine's chain.
        if (chains.find(message.chain)?.origin.machine === source.id) this.#distrusted.add(message.chain);
        chains.keepApart(source.id, evidenceOf(message, error.message));
      }
      throw error;
    }
  }

  /**
   * Returns the copy to continue. A copy with damaged files is set aside, and fetched again as far as the
   * machine still has it.
   */
  #openable(machineId: string): KeptChain | undefined {
    const { chains, log } = this.#options;
    const newest = chains.newestOf(machineId);
    try {
      // Opening the log finds the damage.
      return newest?.log === undefined ? undefined : newest;
    } catch (thrown) {
      const { code, message } = CmdopError.from(thrown);
      if (newest === undefined || code !== "AuditBroken") throw thrown;
      log.error("audit copy damaged; it was set aside", { machine: machineId, message });
      chains.setAside(newest);
      return undefined;
    }
  }
}

/**
 * Appends a batch to a copy.
 * @throws CmdopError AuditBroken where the batch does not follow, AuditUnavailable
 */
function append(kept: KeptChain, { firstSeq, previousHash, records, head }: CheckedBatch): void {
  const { log } = kept;
  if (records.length > 0) {
    log.appendCopy({ firstSeq, previousHash, records });
    return;
  }
  const ours = Buffer.from(log.head.hash).toString("base64url");
  if (head.seq > log.head.seq || (head.seq === log.head.seq && head.hash === ours)) return;
  throw new CmdopError(
    "AuditBroken",
    `The machine says that its audit chain ${head.chain} ends at ${head.seq}; this relay already has its record ${log.head.seq}${head.seq === log.head.seq ? ", with another hash" : ""}.`,
  );
}

/** Returns the batch for JSON, with bytes in base64. */
function evidenceOf({ chain, firstSeq, previousHash, records, head }: AuditMessage, why: string): object {
  const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");
  const sent = { chain, firstSeq: String(firstSeq), previousHash: base64(previousHash), head };
  return { why, atMs: Date.now(), ...sent, records: records.map(base64) };
}
