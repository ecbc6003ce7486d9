import path from "node:path";
import {
  CmdopError,
  isDiskTrouble,
  type KeyId,
  type MachineIdentity,
  type MachineRecord,
  openJoinToken,
  type PublicKey,
  type RelayTarget,
  type RosterClaims,
  readMachineRecord,
  readPrivateFile,
  readRoster,
  TrustedClock,
  thumbprint,
  verifyMachineRecord,
  verifyRoster,
  writePrivateFile,
} from "@cmdop/proto";
import { z } from "zod";

const storedSchema = z.strictObject({
  joinToken: z.string(),
  /** True once a relay has welcomed this machine: the join token is used up. */
  joined: z.boolean(),
  roster: z.string().optional(),
  machineRecord: z.string().optional(),
});
type Stored = z.infer<typeof storedSchema>;

/** How a membership is opened. */
export interface MembershipOptions {
  readonly joinToken?: string | undefined;
  /** `host:port` of the relay, where it is not the one in the join token. */
  readonly relayAddress?: string | undefined;
  readonly onTrouble?: ((error: unknown) => void) | undefined;
}

/**
 * What this machine knows of its owner: whom it trusts, what it is called,
 * where its relay is. Everything in it is a statement that an owner signed and
 * that was verified when it came. At a start it is only read: its signer may no
 * longer be an owner by then, and whoever can write this file can as well
 * replace the machine's key beside it.
 */
export class Membership {
  readonly clock = new TrustedClock();
  readonly relay: RelayTarget;
  #stored: Stored;
  #identity: MachineIdentity;
  #recordSeq = 0;
  #roster: RosterClaims | undefined;
  /** The roster's, to be looked up at every call. */
  #ownerIds: ReadonlySet<KeyId>;
  #revoked: ReadonlySet<KeyId> = new Set();
  readonly #listeners = new Set<() => void>();
  #saving: Promise<void> = Promise.resolve();
  /** What is on disk. */
  #saved: string | undefined;
  readonly #file: string;
  readonly #onTrouble: (error: unknown) => void;
  readonly #firstOwner: PublicKey;

  private constructor(
    file: string,
    { stored, saved }: { stored: Stored; saved: string | undefined },
    origin: { relay: RelayTarget; owner: PublicKey; identity: MachineIdentity },
    onTrouble: (error: unknown) => void,
  ) {
    this.#file = file;
    this.#stored = stored;
    this.#saved = saved;
    this.#onTrouble = onTrouble;
    this.#firstOwner = origin.owner;
    this.#ownerIds = new Set([thumbprint(origin.owner)]);
    this.#identity = origin.identity;
    this.relay = origin.relay;
  }

  /**
   * Loads what is stored, or takes a join token where nothing is. A token given
   * to a machine that has joined already is refused: it would change its owner.
   * Writes nothing but a token that is new. `onTrouble`: told of what can't be
   * written later on, and is tried again by `retry`.
   */
  static async open(
    stateDir: string,
    machineId: string,
    { joinToken, relayAddress, onTrouble = () => undefined }: MembershipOptions,
  ): Promise<Membership> {
    const file = path.join(stateDir, "membership.json");
    const saved = readPrivateFile(file);
    const found = saved === undefined ? undefined : parseStored(saved, file);
    if (found?.joined && joinToken !== undefined && joinToken !== found.joinToken) {
      throw new CmdopError("LinkRefused", "This machine has joined already.", {
        next: "Start the agent without --join. To give the machine to another owner, delete its state directory first.",
      });
    }
    const token = found?.joined ? found.joinToken : (joinToken ?? found?.joinToken);
    if (token === undefined) {
      throw new CmdopError("LinkRefused", "This machine has not joined a relay yet.", {
        next: "Start the agent with cmdop agent --join - and paste a token; the owner makes one with cmdop join-token NAME.",
      });
    }
    const claims = await openJoinToken(token);
    const stored = found?.joined ? found : { joinToken: token, joined: false };
    const identity = { id: machineId, name: claims.name, labels: claims.labels };
    const relay = { id: claims.relay.id, address: relayAddress ?? claims.relay.address };
    const origin = { relay, owner: claims.owner, identity };
    const membership = new Membership(file, { stored, saved }, origin, onTrouble);
    membership.clock.observeOwner(claims.iat);
    if (stored.roster !== undefined) membership.#adoptRoster(readRoster(stored.roster));
    if (stored.machineRecord !== undefined) membership.#adoptRecord(readMachineRecord(stored.machineRecord));
    await membership.#save();
    return membership;
  }

  /** The machine as its owner describes it. */
  get identity(): MachineIdentity {
    return this.#identity;
  }

  /** The public keys that may grant. */
  get owners(): readonly PublicKey[] {
    return this.#roster?.owners ?? [this.#firstOwner];
  }

  /** The seq of the roster in force; 0 before the first. */
  get rosterSeq(): number {
    return this.#roster?.seq ?? 0;
  }

  /** Whether a key has been revoked. */
  isRevoked(keyId: string): boolean {
    return this.#revoked.has(keyId);
  }

  /** Whether a key may grant. */
  isOwner(keyId: KeyId): boolean {
    return this.#ownerIds.has(keyId);
  }

  /** Calls the listener whenever another roster or machine record has come into force, until the returned function is called. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The token to show in the hello: only until a relay has welcomed this machine. */
  get pendingJoinToken(): string {
    return this.#stored.joined ? "" : this.#stored.joinToken;
  }

  /**
   * Takes what a relay brought with a welcome; statements that are not newer
   * change nothing. What was adopted is in force even where it can't be written
   * down.
   * @throws CmdopError GrantRefused for a roster that no owner of today has signed, LinkRefused for such a record
   */
  async welcomed(statements: { roster: string; machineRecord: string }): Promise<void> {
    const { roster, machineRecord } = statements;
    if (roster !== "" && this.#adoptRoster(await verifyRoster(roster, this.owners))) {
      this.#stored.roster = roster;
      this.#changed();
    }
    if (this.#mayBeNews(machineRecord)) {
      if (this.#adoptRecord(await verifyMachineRecord(machineRecord, this.owners))) {
        this.#stored.machineRecord = machineRecord;
        this.#changed();
      }
    }
    this.#stored.joined = true;
    await this.#save().catch((thrown) => {
      if (!isDiskTrouble(thrown)) throw thrown;
      this.#onTrouble(thrown);
    });
  }

  /** Begins to write what could not be written; true where all is. */
  retry(): boolean {
    const isSaved = this.#saved === this.#text();
    // Whoever asks again hears of it.
    if (!isSaved) this.#save().catch(this.#onTrouble);
    return isSaved;
  }

  /** A record that this machine has already need not be signed by an owner of today: one of then has. */
  #mayBeNews(machineRecord: string): boolean {
    return machineRecord !== "" && readMachineRecord(machineRecord).seq > this.#recordSeq;
  }

  #changed(): void {
    for (const listener of [...this.#listeners]) listener();
  }

  #adoptRoster(roster: RosterClaims): boolean {
    this.clock.observeOwner(roster.iat);
    if (this.#roster !== undefined && roster.seq <= this.#roster.seq) return false;
    this.#roster = roster;
    this.#ownerIds = new Set(roster.owners.map(thumbprint));
    this.#revoked = new Set(roster.revoked);
    return true;
  }

  #adoptRecord(record: MachineRecord): boolean {
    if (record.id !== this.#identity.id || record.seq <= this.#recordSeq) return false;
    this.#recordSeq = record.seq;
    this.#identity = { id: record.id, name: record.name, labels: record.labels };
    return true;
  }

  /** Resolves when nothing is being written any more. */
  async settled(): Promise<void> {
    await Promise.allSettled([this.#saving]);
  }

  /** Writes what has changed, one after the other: two lanes may be welcomed at once, and the newer state must be the last on disk. */
  #save(): Promise<void> {
    const write = async (): Promise<void> => {
      const text = this.#text();
      if (text === this.#saved) return;
      await writePrivateFile(this.#file, text);
      this.#saved = text;
    };
    this.#saving = this.#saving.then(write, write);
    return this.#saving;
  }

  #text(): string {
    return `${JSON.stringify(this.#stored, null, 2)}\n`;
  }
}

function parseStored(text: string, file: string): Stored {
  try {
    return storedSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new CmdopError("InvalidArgument", `${file} is damaged.`, {
      cause,
      next: "Restore it from a backup, or delete the state directory and join again with a new token.",
    });
  }
}
