import { chmodSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync, type SQLOutputValue } from "node:sqlite";
import {
  bytes32Schema,
  CmdopError,
  type KeyId,
  labelsSchema,
  type MachineRecord,
  readMachineRecord,
} from "@cmdop/proto";
import { z } from "zod";
import { checkPrivateFile } from "../identity/private-file.ts";
import type { JoinUse, PastRoster, Store, StoredGrant, StoredMachine, StoredRoster } from "./store.ts";

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
  CREATE TABLE IF NOT EXISTS quarantines (machine_id TEXT PRIMARY KEY, since_ms INTEGER NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS grants (key_id TEXT PRIMARY KEY, statement TEXT NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS blocked_keys (key_id TEXT PRIMARY KEY) STRICT;
  CREATE TABLE IF NOT EXISTS key_uses (key_id TEXT PRIMARY KEY, last_used_ms INTEGER NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS past_rosters (
    position INTEGER PRIMARY KEY, statement TEXT NOT NULL, hand_over INTEGER NOT NULL
  ) STRICT;
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

const grantRow = z.object({
  key_id: z.string(),
  statement: z.string(),
  last_used_ms: z.number().nullable(),
});

const SELECT_GRANTS =
  "SELECT grants.key_id, statement, last_used_ms FROM grants LEFT JOIN key_uses USING (key_id)";

const quarantineRow = z.object({ machine_id: z.string(), since_ms: z.number() });

const keyRow = z.object({ key_id: z.string() });

const pastRosterRow = z.object({ statement: z.string(), hand_over: z.number() });

const rosterRow = z.object({ statement: z.string(), trusted_owners: z.string() });

/** The embedded store: one SQLite file in the state directory, for one relay at a time. */
export class SqliteStore implements Store {
  readonly #db: DatabaseSync;

  constructor(stateDir: string) {
    const file = join(stateDir, "relay.db");
    checkPrivateFile(file, "who may write it can block keys and forget machines, though grant nothing.");
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
             ON CONFLICT (id) DO UPDATE SET name = excluded.name, labels = excluded.labels WHERE record = ''`,
          )
          .run(machine.id, machine.publicKey, machine.name, JSON.stringify(machine.labels));
      }
      return this.#machine(machine.id);
    });
  }

  async seen(machineId: string, atMs: number, agentVersion: string): Promise<void> {
    this.#db
      .prepare("UPDATE machines SET last_seen_ms = ?, agent_version = ? WHERE id = ?")
      .run(Math.floor(atMs), agentVersion, machineId);
  }

  async putRecord(record: MachineRecord, statement: string): Promise<StoredMachine | undefined> {
    return this.#transaction(() => {
      const kept = this.#machine(record.id);
      if (kept === undefined || record.seq <= kept.recordSeq) return kept;
      this.#db
        .prepare("UPDATE machines SET name = ?, labels = ?, record = ? WHERE id = ?")
        .run(record.name, JSON.stringify(record.labels), statement, record.id);
      return this.#machine(record.id);
    });
  }

  async quarantines(): Promise<Map<string, number>> {
    const rows = this.#db.prepare("SELECT * FROM quarantines").all();
    return new Map(
      rows.map((row) => {
        const { machine_id, since_ms } = quarantineRow.parse(row);
        return [machine_id, since_ms];
      }),
    );
  }

  async quarantine(machineId: string, sinceMs: number): Promise<void> {
    this.#db
      .prepare("INSERT INTO quarantines VALUES (?, ?) ON CONFLICT DO NOTHING")
      .run(machineId, Math.floor(sinceMs));
  }

  async release(machineId: string): Promise<void> {
    this.#db.prepare("DELETE FROM quarantines WHERE machine_id = ?").run(machineId);
  }

  async removeMachine(machineId: string): Promise<void> {
    this.#transaction(() => {
      this.#db.prepare("DELETE FROM machines WHERE id = ?").run(machineId);
      this.#db.prepare("DELETE FROM quarantines WHERE machine_id = ?").run(machineId);
    });
  }

  async grant(keyId: KeyId): Promise<string | undefined> {
    const row = this.#db.prepare("SELECT statement FROM grants WHERE key_id = ?").get(keyId);
    return typeof row?.statement === "string" ? row.statement : undefined;
  }

  async storedGrant(keyId: KeyId): Promise<StoredGrant[]> {
    return this.#db.prepare(`${SELECT_GRANTS} WHERE grants.key_id = ?`).all(keyId).map(grantOf);
  }

  async grants(after: KeyId, limit: number): Promise<StoredGrant[]> {
    const behind = this.#db.prepare(
      `${SELECT_GRANTS} WHERE grants.key_id > ? ORDER BY grants.key_id LIMIT ?`,
    );
    return behind.all(after, limit).map(grantOf);
  }

  async putGrant(keyId: KeyId, grant: string, replaces = grant): Promise<string> {
    this.#db
      .prepare(
        `INSERT INTO grants VALUES (?, ?)
         ON CONFLICT DO UPDATE SET statement = excluded.statement WHERE grants.statement = ?`,
      )
      .run(keyId, grant, replaces);
    return (await this.grant(keyId)) ?? grant;
  }

  async blockedKeys(): Promise<KeyId[]> {
    return this.#db
      .prepare("SELECT key_id FROM blocked_keys")
      .all()
      .map((row) => keyRow.parse(row).key_id);
  }

  async block(keyId: KeyId): Promise<boolean> {
    return this.#transaction(() => {
      if (this.#db.prepare("SELECT 1 FROM grants WHERE key_id = ?").get(keyId) === undefined) return false;
      this.#db.prepare("INSERT INTO blocked_keys VALUES (?) ON CONFLICT DO NOTHING").run(keyId);
      return true;
    });
  }

  async used(uses: ReadonlyMap<KeyId, number>): Promise<void> {
    this.#transaction(() => {
      const put = this.#db.prepare(
        "INSERT INTO key_uses VALUES (?, ?) ON CONFLICT DO UPDATE SET last_used_ms = excluded.last_used_ms",
      );
      for (const [keyId, atMs] of uses) put.run(keyId, Math.floor(atMs));
    });
  }

  async roster(): Promise<StoredRoster | undefined> {
    const row = this.#db.prepare("SELECT * FROM roster").get();
    if (row === undefined) return undefined;
    const { statement, trusted_owners } = rosterRow.parse(row);
    return { statement, trustedOwners: z.array(bytes32Schema).parse(JSON.parse(trusted_owners)) };
  }

  async pastRosters(): Promise<PastRoster[]> {
    return this.#db
      .prepare("SELECT * FROM past_rosters ORDER BY position")
      .all()
      .map((row) => {
        const { statement, hand_over } = pastRosterRow.parse(row);
        return { statement, handOver: hand_over !== 0 };
      });
  }

  async putRoster(seq: number, roster: StoredRoster, past: readonly PastRoster[]): Promise<StoredRoster> {
    this.#transaction(() => {
      const { changes } = this.#db
        .prepare(
          `INSERT INTO roster VALUES (1, ?, ?, ?)
           ON CONFLICT DO UPDATE SET seq = excluded.seq, statement = excluded.statement,
             trusted_owners = excluded.trusted_owners WHERE excluded.seq > roster.seq`,
        )
        .run(seq, roster.statement, JSON.stringify(roster.trustedOwners));
      if (changes === 0) return;
      this.#db.exec("DELETE FROM past_rosters");
      const put = this.#db.prepare("INSERT INTO past_rosters VALUES (?, ?, ?)");
      for (const [position, { statement, handOver }] of past.entries()) {
        put.run(position, statement, handOver ? 1 : 0);
      }
    });
    return (await this.roster()) ?? roster;
  }

  async close(): Promise<void> {
    this.#db.close();
  }

  #machine(id: string): StoredMachine | undefined {
    const row = this.#db.prepare("SELECT * FROM machines WHERE id = ?").get(id);
    return row === undefined ? undefined : machineOf(row);
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
    recordSeq: machine.record === "" ? 0 : readMachineRecord(machine.record).seq,
    lastSeenMs: machine.last_seen_ms,
    agentVersion: machine.agent_version,
  };
}

function grantOf(row: Record<string, SQLOutputValue>): StoredGrant {
  const { key_id, statement, last_used_ms } = grantRow.parse(row);
  return { keyId: key_id, statement, lastUsedMs: last_used_ms ?? 0 };
}
