import path from "node:path";
import { readGrant, readPrivateFile, readRoster, thumbprint } from "@cmdop/proto";
import { type CMDOPClient, CmdopError, type SignedStatement } from "@cmdop/sdk";
import { homePaths, writeHomeFile } from "../home/home.ts";

/** The longest ledger that is read, in bytes: tens of thousands of grants, and the rosters of a long life. */
const MAX_LEDGER_BYTES = 64 * 1024 * 1024;

/** Rosters that are kept, the newest: one that names other owners comes once in years. */
const MAX_ROSTERS = 64;

/** Statements as they were signed. */
interface Signed {
  rosters: string[];
  grants: string[];
}

/** What a relay was taught. */
export interface Taught {
  /** Whether its roster was older than the newest one that is known here. */
  readonly roster: boolean;
  /** Ids of keys whose grants it had not. */
  readonly grants: readonly string[];
}

/**
 * What the owner has signed for one relay, beside the owner's key: the relay's
 * memory can be lost, or be put back from an old backup, and is then taught again
 * from here. All of it is signed: whoever can write the file can take something
 * away, and add nothing.
 */
export class OwnerLedger {
  readonly #file: string;
  #signed: Signed;

  private constructor(file: string, signed: Signed) {
    this.#file = file;
    this.#signed = signed;
  }

  /** `relayId`: whose memory it is. @throws CmdopError InvalidArgument where the file is damaged */
  static async open(relayId: string): Promise<OwnerLedger> {
    const file = path.join(homePaths.owner(), "relays", `${relayId}.json`);
    return new OwnerLedger(file, await load(file));
  }

  /** Keeps what was signed; at once on disk. */
  async keep(signed: readonly SignedStatement[]): Promise<void> {
    // Another command of this owner may have kept something meanwhile.
    this.#signed = await load(this.#file);
    const before = this.#text();
    for (const { kind, statement } of signed) {
      const list = kind === "roster" ? this.#signed.rosters : this.#signed.grants;
      if (!list.includes(statement)) list.push(statement);
    }
    this.#tidy();
    if (this.#text() !== before) await writeHomeFile(this.#file, this.#text());
  }

  /** Teaches the relay its roster, where that is older than the one that is known here, and then its grants too; `all`: the grants anyway. */
  async teach(client: CMDOPClient, { all = false } = {}): Promise<Taught> {
    const roster = await client.roster.bring(this.#signed.rosters);
    return { roster, grants: roster || all ? await this.#teachGrants(client) : [] };
  }

  /** Keeps what the relay has, grants too: other homes' owners have signed it, or this one before it had a ledger. */
  async learn(client: CMDOPClient): Promise<void> {
    await this.learnRosters(client);
    const kept = await client.keys.list();
    const good = kept.filter(({ state }) => state === "active" || state === "blocked");
    await this.keep(good.map(({ grant }) => ({ kind: "grant", statement: grant })));
  }

  /** Keeps the relay's rosters, where it has newer ones. */
  async learnRosters(client: CMDOPClient): Promise<void> {
    const rosters = await client.roster.statements();
    await this.keep(rosters.map((statement) => ({ kind: "roster", statement })));
  }

  async #teachGrants(client: CMDOPClient): Promise<string[]> {
    if (this.#signed.grants.length === 0) return [];
    const there = new Set((await client.keys.list()).map(({ keyId }) => keyId));
    const taught: string[] = [];
    for (const grant of this.#signed.grants) {
      const { key, not_after } = readGrant(grant);
      if (there.has(thumbprint(key)) || not_after * 1000 <= Date.now()) continue;
      try {
        taught.push(await client.keys.bring(grant));
      } catch (thrown) {
        // Revoked since, or of an owner who has left: it is to stay away.
        const { code } = CmdopError.from(thrown);
        if (code !== "KeyRevoked" && code !== "GrantRefused") throw thrown;
      }
    }
    return taught;
  }

  /** Forgets rosters beyond the bound, the oldest first, and grants that have ended; of two of one key the older. */
  #tidy(): void {
    this.#signed.rosters = this.#signed.rosters
      .toSorted((one, other) => readRoster(one).seq - readRoster(other).seq)
      .slice(-MAX_ROSTERS);
    const newest = new Map<string, string>();
    for (const grant of this.#signed.grants) {
      const { key, iat, not_after } = readGrant(grant);
      const other = newest.get(key);
      if (not_after * 1000 <= Date.now()) continue;
      if (other === undefined || readGrant(other).iat <= iat) newest.set(key, grant);
    }
    this.#signed.grants = [...newest.values()];
  }

  #text(): string {
    return `${JSON.stringify(this.#signed, null, 2)}\n`;
  }
}

async function load(file: string): Promise<Signed> {
  const text = readPrivateFile(file, { maxBytes: MAX_LEDGER_BYTES });
  if (text === undefined) return { rosters: [], grants: [] };
  try {
    const { rosters, grants } = JSON.parse(text);
    return { rosters: read(rosters, readRoster), grants: read(grants, readGrant) };
  } catch (cause) {
    throw new CmdopError("InvalidArgument", `${file} is damaged.`, {
      next: "Restore it from a backup, or move it away: cmdop owner teach makes it anew of what the relay has.",
      cause,
    });
  }
}

/** Those of a list; throws where one of them can't be read. */
function read(list: unknown, readOne: (statement: string) => unknown): string[] {
  if (!Array.isArray(list)) throw new TypeError("not a list");
  return list.map((statement: unknown) => {
    readOne(String(statement));
    return String(statement);
  });
}
