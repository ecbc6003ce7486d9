import { type KeyId, type PublicKey, readRoster, statementSigner, thumbprint } from "@cmdop/proto";
import type { PastRoster } from "./store.ts";

/**
 * Most past rosters that are kept: an agent that was away for more changes of owners than this must join
 * again.
 */
const MAX_PAST_ROSTERS = 64;

/** Most bytes of past rosters that are kept, in memory too; usual ones have a few KiB. */
const MAX_PAST_ROSTERS_BYTES = 16 * 1024 * 1024;

/**
 * Most bytes of past rosters in one answer: less than the limit of a message, with room for the present one.
 */
const MAX_ANSWER_BYTES = 2 * 1024 * 1024;

/** A past roster, with its number and signer. */
interface Known extends PastRoster {
  readonly seq: number;
  readonly signer: KeyId | undefined;
}

/**
 * The rosters that lead others to the present one: an agent that was away while the owners changed, a machine
 * that joined by an owner's token and so trusts only that owner, a program that knows an earlier owner. The
 * holder of some roster needs those that named other owners since, each signed by an owner of the one before;
 * a client that knows one owner needs the newest that this owner has signed.
 */
export class PastRosters {
  #known: readonly Known[];

  constructor(stored: readonly PastRoster[]) {
    this.#known = stored.map(known);
  }

  /** The signed rosters, the oldest first. */
  get statements(): readonly string[] {
    return this.#known.map(({ statement }) => statement);
  }

  /** The newest rosters that fit into one answer, the oldest first. */
  get answer(): readonly string[] {
    return newestWithin(this.#known, this.#known.length, MAX_ANSWER_BYTES).map(({ statement }) => statement);
  }

  /** Returns true if a client that knows only this owner can follow to the present roster. */
  canFollow(owner: PublicKey): boolean {
    return this.#known.some(({ signer }) => signer === thumbprint(owner));
  }

  /**
   * Returns the rosters to keep once `statement` is in force, including it. `before`: the owners before it;
   * undefined for the first.
   */
  with(statement: string, before: readonly PublicKey[] | undefined): PastRosters {
    const { owners } = readRoster(statement);
    const handOver = before !== undefined && new Set(before).symmetricDifference(new Set(owners)).size > 0;
    const all = [...this.#known, known({ statement, handOver })];
    const ids = new Set(owners.map(thumbprint));
    const newestBy = new Map(all.map((roster) => [roster.signer, roster]));
    const kept = all.filter((roster) => {
      const isLastWord = newestBy.get(roster.signer) === roster && ids.has(roster.signer ?? "");
      return roster.handOver || isLastWord;
    });
    return new PastRosters(newestWithin(kept, MAX_PAST_ROSTERS, MAX_PAST_ROSTERS_BYTES));
  }

  /** The rosters in the store's form. */
  get stored(): readonly PastRoster[] {
    return this.#known.map(({ statement, handOver }) => ({ statement, handOver }));
  }
}

function known(roster: PastRoster): Known {
  return { ...roster, seq: readRoster(roster.statement).seq, signer: statementSigner(roster.statement) };
}

function newestWithin(rosters: readonly Known[], count: number, maxBytes: number): Known[] {
  const newest: Known[] = [];
  let bytes = 0;
  for (const roster of rosters.toSorted((a, b) => b.seq - a.seq).slice(0, count)) {
    bytes += roster.statement.length;
    if (bytes > maxBytes) break;
    newest.push(roster);
  }
  return newest.reverse();
}
