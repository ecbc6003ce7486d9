import { chmodSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync, type SQLOutputValue } from "node:sqlite";
import { bytes32Schema, CmdopError, type KeyId, labelsSchema } from "@cmdop/proto";
import { z } from "zod";
import type { JoinUse, Store, StoredMachine, StoredRoster } from "./store.ts";

/** How long a start waits for another relay on the same state directory to let go, in milliseconds. */
const BUSY_TIMEOUT_MS = 1_000;

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS machines (
    id TEXT PRIMARY KEY, public_key TEXT NOT NULL, name TEXT NOT NULL, labels TEXT NOT NULL,
    record TEXT NOT NULL DEFAULT '', last_seen_ms INTEGER NOT NULL DEFAULT 0, agent_version TEXT NOT NULL DEFAULT ''
  ) STRICT;
  CREATE TABLE IF NOT EXISTS join_uses (
    token_id TEXT NOT NULL, machine_id TEXT NOT NULL, PRIMARY KEY (token_id, machine_id)
  ) STRICT;
  CREATE TABLE IF NOT EXISTS grants (key_id TEXT PRIMARY KEY, statement TEXT NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS roster (
    one INTEGER PRIMARY KEY CHECK (one = 1), seq INTEGER NOT NULL, statement TEXT NOT NULL, trusted_owners TEXT NOT NULL
  ) STRICT;
`;

const machineRow = z.object({
  id: z.string(),
  public_key: z.string(),
  name: z.string(),
  labels: z.string(),
  record: z.string(),
  last_seen_ms: z.number(),
  agent_version: z.string(),
});

const rosterRow = z.object({ statement: z.string(), trusted_owners: z.string() });

/** The embedded store: one SQLite file in the state directory, for one relay at a time. */
export class SqliteStore implements Store {
  readonly #db: DatabaseSync;

  constructor(stateDir: string) {
    const file = join(stateDir, "relay.db");
    try {
      this.#db = new DatabaseSync(file, { timeout: BUSY_TIMEOUT_MS });
      // Exclusive: a second relay on this directory would serve from a memory of its own.
      this.#db.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;");
      chmodSync(file, 0o600);
      this.#db.exec(SCHEMA);
    } catch (thrown) {
      throw new CmdopError(
        "InvalidArgument",
        `The relay's store ${file} can't be opened: ${String(thrown)}.`,
        {
          next: "Check that no other relay uses this state directory, and that it can be written.",
          cause: thrown,
        },
      );
    }
  }

  async machines(): Promise<StoredMachine[]> {
    return this.#db.prepare("SELECT * FROM machines").all().map(machineOf);
  }

  async join({ tokenId, uses, machine }: JoinUse): Promise<StoredMachine | undefined> {
    return this.#transaction(() => {
      const used = this.#db.prepare("SELECT machine_id FROM join_uses WHERE token_id = ?").all(tokenId);
      if (!used.some((use) => use.machine_id === machine.id)) {
        if (used.length >= uses) return undefined;
        this.#db.prepare("INSERT INTO join_uses VALUES (?, ?)").run(tokenId, machine.id);
        this.#db
          .prepare(
            `INSERT INTO machines (id, public_key, name, labels) VALUES (?, ?, ?, ?)
             ON CONFLICT (id) DO UPDATE SET name = excluded.name, labels = excluded.labels`,
          )
          .run(machine.id, machine.publicKey, machine.name, JSON.stringify(machine.labels));
      }
      const row = this.#db.prepare("SELECT * FROM machines WHERE id = ?").get(machine.id);
      return row === undefined ? undefined : machineOf(row);
    });
  }

  async seen(machineId: string, atMs: number, agentVersion: string): Promise<void> {
    this.#db
      .prepare("UPDATE machines SET last_seen_ms = ?, agent_version = ? WHERE id = ?")
      .run(Math.floor(atMs), agentVersion, machineId);
  }

  async grant(keyId: KeyId): Promise<string | undefined> {
    const row = this.#db.prepare("SELECT statement FROM grants WHERE key_id = ?").get(keyId);
    return typeof row?.statement === "string" ? row.statement : undefined;
  }

  async putGrant(keyId: KeyId, grant: string): Promise<string> {
    this.#db.prepare("INSERT INTO grants VALUES (?, ?) ON CONFLICT DO NOTHING").run(keyId, grant);
    return (await this.grant(keyId)) ?? grant;
  }

  async roster(): Promise<StoredRoster | undefined> {
    const row = this.#db.prepare("SELECT * FROM roster").get();
    if (row === undefined) return undefined;
    const { statement, trusted_owners } = rosterRow.parse(row);
    return { statement, trustedOwners: z.array(bytes32Schema).parse(JSON.parse(trusted_owners)) };
  }

  async putRoster(seq: number, roster: StoredRoster): Promise<StoredRoster> {
    this.#db
      .prepare(
        `INSERT INTO roster VALUES (1, ?, ?, ?)
         ON CONFLICT DO UPDATE SET seq = excluded.seq, statement = excluded.statement,
           trusted_owners = excluded.trusted_owners WHERE excluded.seq > roster.seq`,
      )
      .run(seq, roster.statement, JSON.stringify(roster.trustedOwners));
    return (await this.roster()) ?? roster;
  }

  async close(): Promise<void> {
    this.#db.close();
  }

  #transaction<T>(work: () => T): T {
    this.#db.exec("BEGIN IMMEDIATE");
    try {
      const result = work();
      this.#db.exec("COMMIT");
      return result;
    } catch (thrown) {
      this.#db.exec("ROLLBACK");
      throw thrown;
    }
  }
}

function machineOf(row: Record<string, SQLOutputValue>): StoredMachine {
  const machine = machineRow.parse(row);
  return {
    id: machine.id,
    publicKey: machine.public_key,
    name: machine.name,
    labels: labelsSchema.parse(JSON.parse(machine.labels)),
    record: machine.record,
    lastSeenMs: machine.last_seen_ms,
    agentVersion: machine.agent_version,
  };
}
