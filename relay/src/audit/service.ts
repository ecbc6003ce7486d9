import { type Audit, CmdopError, type Handlers, type KeyId } from "@cmdop/proto";
import type { Trust } from "../control/trust.ts";
import type { AuditBounds } from "./bounds.ts";
import type { Chains } from "./chains.ts";
import type { KeptChain } from "./kept-chain.ts";
import { query } from "./query.ts";
import { Turns } from "./turns.ts";
import { View, type Viewer } from "./view.ts";

/** Options of the service. */
export interface AuditServiceOptions {
  readonly chains: Chains;
  readonly trust: Trust;
  /** Resolves while a key may call; otherwise throws the reason for refusing it. */
  readonly checkKey: (keyId: KeyId) => Promise<void>;
  /** Returns the reason that the copies of a machine's chains lag behind it; empty if none is known. */
  readonly behind: (machineId: string) => string;
  readonly bounds: AuditBounds;
}

/** Makes the handlers that read the chains for callers who may see them. */
export function auditHandlers(options: AuditServiceOptions): Handlers<typeof Audit, Viewer> {
  const { chains, trust, checkKey, behind, bounds } = options;
  const readers = new Map<KeyId, number>();
  const turns = new Turns();

  /** Counts a stream for its lifetime. */
  const reader = (keyId: KeyId): Disposable => {
    const mine = readers.get(keyId) ?? 0;
    const all = [...readers.values()].reduce((sum, count) => sum + count, 0);
    if (mine >= bounds.readersPerKey || all >= bounds.readers) {
      throw new CmdopError(
        "LimitExceeded",
        `The audit is read by ${all} callers, ${mine} of them with this key; at most ${bounds.readers} and ${bounds.readersPerKey} are allowed.`,
      );
    }
    readers.set(keyId, mine + 1);
    return {
      [Symbol.dispose]: () => {
        const rest = (readers.get(keyId) ?? 1) - 1;
        if (rest === 0) readers.delete(keyId);
        else readers.set(keyId, rest);
      },
    };
  };

  const viewerNow = async (keyId: KeyId): Promise<Viewer> => {
    await checkKey(keyId);
    const grant = trust.ownerKey(keyId) === undefined ? await trust.grantOf(keyId) : undefined;
    return { keyId, grant };
  };

  const keptOf = (kept: KeptChain) => ({
    chain: { id: kept.origin.chain, machineId: kept.origin.machine },
    ...endsOf(kept),
    head: kept.head,
    behind: behind(kept.origin.machine),
    machineKey: Buffer.from(kept.origin.machineKey, "base64url"),
  });

  return {
    async *query(request, { caller, signal }) {
      using _ = reader(caller.keyId);
      const { machineId, keyId, sinceMs, untilMs, follow } = request;
      const records = query({
        chains,
        directory: trust,
        turns,
        viewer: () => viewerNow(caller.keyId),
        condition: {
          machineId: machineId === "" ? undefined : machineId,
          keyId: keyId === "" ? undefined : keyId,
          sinceMs,
          untilMs: untilMs === 0 ? Number.POSITIVE_INFINITY : untilMs,
        },
        follow,
        signal,
      });
      for await (const { source, seq, body } of records) {
        yield { chain: { id: source.chain, machineId: source.machineId ?? "" }, seq: BigInt(seq), body };
      }
    },

    async chains(_request, { caller }) {
      const view = new View(trust, caller);
      const { own } = chains;
      const ours = {
        chain: { id: own.chain, machineId: "" },
        firstSeq: BigInt(own.first),
        lastSeq: BigInt(own.head.seq),
        hash: own.head.hash,
      };
      const kept = chains.kept().filter(({ origin }) => view.seesMachine(origin.machine));
      return { chains: [...(view.seesAll ? [ours] : []), ...kept.map(keptOf)] };
    },

    async *read({ chainId, after }, { caller, signal }) {
      using _ = reader(caller.keyId);
      const log = readable(chainId, caller);
      for (const batch of log.read(Number(after))) {
        if (signal.aborted) return;
        // A slow reader's key may have been revoked meanwhile.
        await checkKey(caller.keyId);
        yield { ...batch, firstSeq: BigInt(batch.firstSeq) };
      }
    },
  };

  function readable(chainId: string, caller: Viewer) {
    const view = new View(trust, caller);
    if (chainId === chains.own.chain && view.seesAll) return chains.own;
    const kept = chains.find(chainId);
    if (kept !== undefined && view.seesMachine(kept.origin.machine)) return kept.log;
    throw new CmdopError(
      "NotFound",
      `This relay keeps no audit chain ${JSON.stringify(chainId)} that this key may read whole.`,
      {
        next: "List the chains: cmdop audit verify names them.",
      },
    );
  }
}

/**
 * Returns the ends of a copy. For a copy with damaged files it returns nothing, so only the head that its
 * machine signed is told; reading it gives the reason.
 */
function endsOf(kept: KeptChain) {
  try {
    const { first, head } = kept.log;
    return { firstSeq: BigInt(first), lastSeq: BigInt(head.seq), hash: head.hash };
  } catch (thrown) {
    if (CmdopError.from(thrown).code === "AuditBroken") return {};
    throw thrown;
  }
}
