import { statSync } from "node:fs";
import { join } from "node:path";
import type { SQLOutputValue } from "node:sqlite";
import {
  bytes32Schema,
  CmdopError,
  type KeyId,
  labelsSchema,
  type MachineRecord,
  readMachineRecord,
  refuseShared,
} from "@cmdop/proto";
import { DiskDatabase, type Prepare } from "@cmdop/proto/disk-database";
import { z } from "zod";
import type { JoinUse, PastRoster, Store, StoredGrant, StoredMachine, StoredRoster } from "./store.ts";

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS relay (one INTEGER PRIMARY KEY CHECK (one = 1), id TEXT NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS removed_machines (machine_id TEXT PRIMARY KEY) STRICT;
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

const relayRow = z.object({ id: z.string() });

const quarantineRow = z.object({ machine_id: z.string(), since_ms: z.number() });

const keyRow = z.object({ key_id: z.string() });

const pastRosterRow = z.object({ statement: z.string(), hand_over: z.number() });

const rosterRow = z.object({ statement: z.string(), trusted_owners: z.string() });

/**
 * The embedded store: one SQLite file in the state directory, for one relay at a time. It can still be read
 * on a disk that takes no writes.
 */
export class SqliteStore implements Store {
  readonly #database: DiskDatabase;
  /** True if there was no store: at the relay's first start, or after its loss. */
  readonly isNew: boolean;

  /**
   * `onTrouble`: called when the disk takes no writes; see `retry`.
   * @throws CmdopError InvalidArgument where it can't be used
   */
  constructor(stateDir: string, onTrouble: (error: unknown) => void = () => undefined) {
    const file = join(stateDir, "relay.db");
    const found = statSync(file, { throwIfNoEntry: false });
    refuseShared(
      file,
      found?.mode ?? 0,
      "anyone who can write it can block keys and remove machines, though grant nothing.",
    );
    // SQLite treats an empty file as a new one.
    this.isNew = (found?.size ?? 0) === 0;
    try {
      this.#database = new DiskDatabase({ file, schema: SCHEMA, synchronous: "FULL", onTrouble });
    } catch (thrown) {
      if (isDamaged(thrown)) {
        throw new CmdopError("InvalidArgument", `The relay's store ${file} is damaged: ${String(thrown)}.`, {
          next: `Restore ${stateDir} from a backup. Without one, move relay.db, relay.db-wal and relay.db-shm away, never ca.pem: machines come back by themselves, and the owner restores the keys with cmdop owner teach.`,
          cause: thrown,
        });
      }
      if (thrown instanceof CmdopError && thrown.code === "AlreadyExists") throw thrown;
      throw new CmdopError(
        "InvalidArgument",
        `The relay's store ${file} can't be opened: ${String(thrown)}.`,
        {
          next: "Check that no other relay uses this state directory, and that it can be written.",
          cause: thrown,
        },
      );
    }
    // Serving without data would tell every machine that it is unknown.
    if (!this.#database.isReadable && this.#database.blocked !== undefined) throw this.#database.blocked;
  }

  /** Reopens the database if it could not be written. Returns true if it can be written now. */
  retry(): boolean {
    return this.#database.retry();
  }

  relayId(): string | undefined {
    const row = this.#database.read((prepare) => prepare("SELECT id FROM relay").get());
    return row === undefined ? undefined : relayRow.parse(row).id;
  }

  setRelayId(id: string): void {
    this.#database.write((prepare) =>
      prepare("INSERT INTO relay VALUES (1, ?) ON CONFLICT DO UPDATE SET id = excluded.id").run(id),
    );
  }

  async machines(): Promise<StoredMachine[]> {
    return this.#database.read((prepare) => prepare("SELECT * FROM machines").all().map(machineOf));
  }

  async join({ tokenId, uses, machine, otherNames }: JoinUse): Promise<StoredMachine | undefined> {
    return this.#database.transaction((prepare) => {
      const used = prepare("SELECT machine_id FROM join_uses WHERE token_id = ?").all(tokenId);
      if (!used.some((use) => use.machine_id === machine.id)) {
        if (used.length >= uses) return undefined;
        const name = otherNames === undefined ? machine.name : freeName(prepare, machine, otherNames);
        prepare("INSERT INTO join_uses VALUES (?, ?)").run(tokenId, machine.id);
        prepare(
          `INSERT INTO machines (id, public_key, name, labels) VALUES (?, ?, ?, ?)
           ON CONFLICT (id) DO UPDATE SET name = excluded.name, labels = excluded.labels WHERE record = ''`,
        ).run(machine.id, machine.publicKey, name, JSON.stringify(machine.labels));
        prepare("DELETE FROM removed_machines WHERE machine_id = ?").run(machine.id);
      }
      return machineIn(prepare, machine.id);
    });
  }

  async readmit(machine: JoinUse["machine"]): Promise<StoredMachine | undefined> {
    return this.#database.transaction((prepare) => {
      if (prepare("SELECT 1 FROM removed_machines WHERE machine_id = ?").get(machine.id) !== undefined) {
        return undefined;
      }
      prepare(
        "INSERT INTO machines (id, public_key, name, labels) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
      ).run(machine.id, machine.publicKey, machine.name, JSON.stringify(machine.labels));
      return machineIn(prepare, machine.id);
    });
  }

  async seen(machineId: string, atMs: number, agentVersion: string): Promise<void> {
    this.#database.write((prepare) =>
      prepare("UPDATE machines SET last_seen_ms = ?, agent_version = ? WHERE id = ?").run(
        Math.floor(atMs),
        agentVersion,
        machineId,
      ),
    );
  }

  async putRecord(record: MachineRecord, statement: string): Promise<StoredMachine | undefined> {
    return this.#database.transaction((prepare) => {
      const kept = machineIn(prepare, record.id);
      if (kept === undefined || record.seq <= kept.recordSeq) return kept;
      prepare("UPDATE machines SET name = ?, labels = ?, record = ? WHERE id = ?").run(
        record.name,
        JSON.stringify(record.labels),
        statement,
        record.id,
      );
      return machineIn(prepare, record.id);
    });
  }

  async quarantines(): Promise<Map<string, number>> {
    const rows = this.#database.read((prepare) => prepare("SELECT * FROM quarantines").all());
    return new Map(
      rows.map((row) => {
        const { machine_id, since_ms } = quarantineRow.parse(row);
        return [machine_id, since_ms];
      }),
    );
  }

  async quarantine(machineId: string, sinceMs: number): Promise<void> {
    this.#database.write((prepare) =>
      prepare("INSERT INTO quarantines VALUES (?, ?) ON CONFLICT DO NOTHING").run(
        machineId,
        Math.floor(sinceMs),
      ),
    );
  }

  async release(machineId: string): Promise<void> {
    this.#database.write((prepare) => prepare("DELETE FROM quarantines WHERE machine_id = ?").run(machineId));
  }

  async removeMachine(machineId: string): Promise<void> {
    this.#database.transaction((prepare) => {
      prepare("INSERT INTO removed_machines VALUES (?) ON CONFLICT DO NOTHING").run(machineId);
      prepare("DELETE FROM machines WHERE id = ?").run(machineId);
      prepare("DELETE FROM quarantines WHERE machine_id = ?").run(machineId);
    });
  }

  async grant(keyId: KeyId): Promise<string | undefined> {
    const row = this.#database.read((prepare) =>
      prepare("SELECT statement FROM grants WHERE key_id = ?").get(keyId),
    );
    return typeof row?.statement === "string" ? row.statement : undefined;
  }

  async storedGrant(keyId: KeyId): Promise<StoredGrant[]> {
    return this.#database.read((prepare) =>
      prepare(`${SELECT_GRANTS} WHERE grants.key_id = ?`).all(keyId).map(grantOf),
    );
  }

  async grants(after: KeyId, limit: number): Promise<StoredGrant[]> {
    return this.#database.read((prepare) =>
      prepare(`${SELECT_GRANTS} WHERE grants.key_id > ? ORDER BY grants.key_id LIMIT ?`)
        .all(after, limit)
        .map(grantOf),
    );
  }

  async putGrant(keyId: KeyId, grant: string, replaces = grant): Promise<string> {
    this.#database.write((prepare) =>
      prepare(
        `INSERT INTO grants VALUES (?, ?)
         ON CONFLICT DO UPDATE SET statement = excluded.statement WHERE grants.statement = ?`,
      ).run(keyId, grant, replaces),
    );
    return (await this.grant(keyId)) ?? grant;
  }

  async blockedKeys(): Promise<KeyId[]> {
    const rows = this.#database.read((prepare) => prepare("SELECT key_id FROM blocked_keys").all());
    return rows.map((row) => keyRow.parse(row).key_id);
  }

  async block(keyIds: readonly KeyId[]): Promise<void> {
    this.#database.transaction((prepare) => {
      const put = prepare("INSERT INTO blocked_keys VALUES (?) ON CONFLICT DO NOTHING");
      for (const keyId of keyIds) put.run(keyId);
    });
  }

  async used(uses: ReadonlyMap<KeyId, number>): Promise<void> {
    this.#database.transaction((prepare) => {
      const put = prepare(
        "INSERT INTO key_uses VALUES (?, ?) ON CONFLICT DO UPDATE SET last_used_ms = excluded.last_used_ms",
      );
      for (const [keyId, atMs] of uses) put.run(keyId, Math.floor(atMs));
    });
  }

  async roster(): Promise<StoredRoster | undefined> {
    const row = this.#database.read((prepare) => prepare("SELECT * FROM roster").get());
    if (row === undefined) return undefined;
    const { statement, trusted_owners } = rosterRow.parse(row);
    return { statement, trustedOwners: z.array(bytes32Schema).parse(JSON.parse(trusted_owners)) };
  }

  async pastRosters(): Promise<PastRoster[]> {
    const rows = this.#database.read((prepare) =>
      prepare("SELECT * FROM past_rosters ORDER BY position").all(),
    );
    return rows.map((row) => {
      const { statement, hand_over } = pastRosterRow.parse(row);
      return { statement, handOver: hand_over !== 0 };
    });
  }

  async putRoster(seq: number, roster: StoredRoster, past: readonly PastRoster[]): Promise<StoredRoster> {
    this.#database.transaction((prepare) => {
      const { changes } = prepare(
        `INSERT INTO roster VALUES (1, ?, ?, ?)
         ON CONFLICT DO UPDATE SET seq = excluded.seq, statement = excluded.statement,
           trusted_owners = excluded.trusted_owners WHERE excluded.seq > roster.seq`,
      ).run(seq, roster.statement, JSON.stringify(roster.trustedOwners));
      if (changes === 0) return;
      prepare("DELETE FROM past_rosters").run();
      const put = prepare("INSERT INTO past_rosters VALUES (?, ?, ?)");
      for (const [position, { statement, handOver }] of past.entries()) {
        put.run(position, statement, handOver ? 1 : 0);
      }
    });
    return (await this.roster()) ?? roster;
  }

  async close(): Promise<void> {
    this.#database.close();
  }
}

/** Returns the first of a machine's names that no other machine has. */
function freeName(prepare: Prepare, { id, name }: JoinUse["machine"], otherNames: Iterable<string>): string {
  const others = prepare("SELECT name FROM machines WHERE id <> ?").all(id);
  const taken = new Set(others.map((row) => row.name));
  if (!taken.has(name)) return name;
  for (const other of otherNames) if (!taken.has(other)) return other;
  return name;
}

function machineIn(prepare: Prepare, id: string): StoredMachine | undefined {
  const row = prepare("SELECT * FROM machines WHERE id = ?").get(id);
  return row === undefined ? undefined : machineOf(row);
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

/** SQLite's codes for a file that is no database, or whose pages contradict each other. */
const DAMAGED = [11, 26];

function isDamaged(thrown: unknown): boolean {
  return thrown instanceof Error && "errcode" in thrown && DAMAGED.includes(Number(thrown.errcode) & 0xff);
}
