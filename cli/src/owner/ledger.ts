import { readdir } from "node:fs/promises";
import path from "node:path";
import { unless } from "@cmdop/kit";
import { type KeyId, readGrant, readPrivateFile, readRoster, thumbprint } from "@cmdop/proto";
import { type CMDOPClient, CmdopError, type SignedStatement } from "@cmdop/sdk";
import { homePaths, writeHomeFile } from "../home/home.ts";

/** Longest ledger that is read, in bytes: tens of thousands of grants, and the rosters of many years. */
const MAX_LEDGER_BYTES = 64 * 1024 * 1024;

/** Most rosters that are kept, the newest ones. Rosters that name other owners are rare. */
const MAX_ROSTERS = 64;

/** Signed statements. */
interface Signed {
  rosters: string[];
  grants: string[];
}

/** The statements that a relay was taught. */
export interface Taught {
  /** True if its roster was older than the newest one known here. */
  readonly roster: boolean;
  /** Ids of the keys whose grants it lacked. */
  readonly grants: readonly string[];
}

/**
 * The owner's signed statements for one relay, kept beside the owner's key. A relay that has lost its store,
 * or was restored from an old backup, is taught again from here. All of it is signed, so anyone who can write
 * the file can remove statements, but not add any.
 */
export class OwnerLedger {
  readonly #file: string;
  #signed: Signed;

  private constructor(file: string, signed: Signed) {
    this.#file = file;
    this.#signed = signed;
  }

  /**
   * Opens the ledger for the relay with this id.
   * @throws CmdopError InvalidArgument where the file is damaged
   */
  static async open(relayId: string): Promise<OwnerLedger> {
    const file = path.join(homePaths.owner(), "relays", `${relayId}.json`);
    return new OwnerLedger(file, await load(file));
  }

  /** Ids of the keys that the newest roster here revokes. */
  revokedKeys(): readonly KeyId[] {
    const newest = this.#signed.rosters
      .toSorted((one, other) => readRoster(one).seq - readRoster(other).seq)
      .at(-1);
    return newest === undefined ? [] : readRoster(newest).revoked;
  }

  /** Adds signed statements, and writes them to disk at once. */
  async keep(signed: readonly SignedStatement[]): Promise<void> {
    // Another command of this owner may have added statements meanwhile.
    this.#signed = await load(this.#file);
    const before = this.#text();
    for (const { kind, statement } of signed) {
      const list = kind === "roster" ? this.#signed.rosters : this.#signed.grants;
      if (!list.includes(statement)) list.push(statement);
    }
    this.#tidy();
    if (this.#text() !== before) await writeHomeFile(this.#file, this.#text());
  }

  /**
   * Teaches the relay its roster if that is older than the newest one known here, and then its grants. `all`:
   * teaches the grants in any case.
   */
  async teach(client: CMDOPClient, { all = false } = {}): Promise<Taught> {
    const roster = await client.roster.bring(this.#signed.rosters);
    return { roster, grants: roster || all ? await this.#teachGrants(client) : [] };
  }

  /**
   * Adds the relay's statements, with grants: owners in other homes have signed some, or this one before it
   * had a ledger.
   */
  async learn(client: CMDOPClient): Promise<void> {
    await this.learnRosters(client);
    const kept = await client.keys.list();
    const good = kept.filter(({ state }) => state === "active" || state === "blocked");
    await this.keep(good.map(({ grant }) => ({ kind: "grant", statement: grant })));
  }

  /** Adds the relay's rosters, if it has newer ones. */
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
        // This grant was revoked, or its owner has left, so it must not come back.
        const { code } = CmdopError.from(thrown);
        if (code !== "KeyRevoked" && code !== "GrantRefused") throw thrown;
      }
    }
    return taught;
  }

  /**
   * Removes rosters beyond the limit, the oldest first, grants that have ended, and the older one of two
   * grants for a key.
   */
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
      next: "Restore it from a backup, or move it away: cmdop owner teach makes a new one from the relay's statements.",
      cause,
    });
  }
}

/** Reads the statements of a list; throws if one can't be read. */
function read(list: unknown, readOne: (statement: string) => unknown): string[] {
  if (!Array.isArray(list)) throw new TypeError("not a list");
  return list.map((statement: unknown) => {
    readOne(String(statement));
    return String(statement);
  });
}

/** The names of the keys that this home's owner has signed for any relay; needs neither relay nor passphrase. */
export async function signedKeyNames(): Promise<string[]> {
  const directory = path.join(homePaths.owner(), "relays");
  const files = (await unless(["ENOENT"], readdir(directory))) ?? [];
  const ledgers = await Promise.all(files.map((file) => load(path.join(directory, file))));
  return [...new Set(ledgers.flatMap(({ grants }) => grants.map((grant) => readGrant(grant).name)))];
}
