import os from "node:os";
import path from "node:path";
import {
  CmdopError,
  checkNameByPattern,
  isDiskTrouble,
  isNamePattern,
  type KeyId,
  type MachineIdentity,
  type MachineRecord,
  nameByPattern,
  nameSchema,
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
  /** The machine's name, if the join token has a pattern in its place. */
  name: nameSchema.optional(),
  roster: z.string().optional(),
  /** Rosters that changed the owners, the oldest first: by these a relay that has lost them can follow. */
  handOvers: z.array(z.string()).optional(),
  machineRecord: z.string().optional(),
  /** The relay's word that this machine has joined. */
  receipt: z.string().optional(),
});
type Stored = z.infer<typeof storedSchema>;

/** Remembered rosters that changed the owners; the oldest are forgotten first. */
const MAX_HAND_OVERS = 16;

/**
 * Most bytes of rosters that are sent to a relay at once, because they must fit into a message. The newest
 * come first.
 */
const MAX_ROSTERS_BYTES = 3 * 1024 * 1024;

/** Longest receipt that is kept, in characters. */
const MAX_RECEIPT_CHARACTERS = 16 * 1024;

/** Options for opening a membership. */
export interface MembershipOptions {
  readonly joinToken?: string | undefined;
  /** `host:port` of the relay, if it is not the one in the join token. */
  readonly relayAddress?: string | undefined;
  readonly onTrouble?: ((error: unknown) => void) | undefined;
}

/**
 * The machine's knowledge of its owner: whom it trusts, its name, and the address of its relay. Everything in
 * it is a statement that an owner signed and that was verified when it arrived. At a start the statements are
 * only read: the signer may no longer be an owner by then, and whoever can write this file can also replace
 * the machine's key beside it.
 */
export class Membership {
  readonly clock = new TrustedClock();
  readonly relay: RelayTarget;
  #stored: Stored;
  #identity: MachineIdentity;
  #recordSeq = 0;
  #roster: RosterClaims | undefined;
  /** Owner ids of the roster, for a fast lookup at every call. */
  #ownerIds: ReadonlySet<KeyId>;
  #revoked: ReadonlySet<KeyId> = new Set();
  readonly #listeners = new Set<() => void>();
  #saving: Promise<void> = Promise.resolve();
  /** The text on disk. */
  #saved: string | undefined;
  readonly #file: string;
  readonly #onTrouble: (error: unknown) => void;
  readonly #firstOwner: PublicKey;
  /** The name in the join token, or its pattern. */
  readonly #tokenName: string;

  private constructor(
    file: string,
    { stored, saved }: { stored: Stored; saved: string | undefined },
    origin: { relay: RelayTarget; owner: PublicKey; identity: MachineIdentity; tokenName: string },
    onTrouble: (error: unknown) => void,
  ) {
    this.#file = file;
    this.#stored = stored;
    this.#saved = saved;
    this.#onTrouble = onTrouble;
    this.#firstOwner = origin.owner;
    this.#ownerIds = new Set([thumbprint(origin.owner)]);
    this.#identity = origin.identity;
    this.#tokenName = origin.tokenName;
    this.relay = origin.relay;
  }

  /**
   * Loads the stored membership, or takes a join token if there is none. A machine that has joined already
   * accepts a token of one of its owners, and joins again with it; any other token is refused, because it
   * would change the owner. A token for another relay moves it there: what the owner said at the former
   * relay is left behind, since rosters of two relays can't be compared. Writes nothing but a new token.
   * `onTrouble`: called with errors of later writes, which `retry` repeats.
   */
  static async open(
    stateDir: string,
    machineId: string,
    { joinToken, relayAddress, onTrouble = () => undefined }: MembershipOptions,
  ): Promise<Membership> {
    const file = path.join(stateDir, "membership.json");
    const saved = readPrivateFile(file);
    const found = saved === undefined ? undefined : parseStored(saved, file);
    const again = joinToken !== undefined && joinToken !== found?.joinToken;
    if (found?.joined && again && !(await isOfSameOwners(joinToken, found))) {
      throw new CmdopError(
        "LinkRefused",
        "This machine has joined already, and the token is another owner's.",
        {
          next: "Start the agent without --join. To be a machine of another owner too, give that agent a home of its own: CMDOP_HOME=~/.cmdop-2 cmdop agent --join -.",
        },
      );
    }
    const token = joinToken ?? found?.joinToken;
    if (token === undefined) {
      throw new CmdopError("LinkRefused", "This machine has not joined a relay yet.", {
        next: "Start the agent with cmdop agent --join - and paste a token; the owner makes one with cmdop join-token NAME.",
      });
    }
    const claims = await openJoinToken(token);
    const isMoved =
      found !== undefined && again && (await openJoinToken(found.joinToken)).relay.id !== claims.relay.id;
    const stored: Stored =
      found?.joined && !isMoved
        ? { ...found, joinToken: token, joined: !again, ...(again && { name: undefined }) }
        : { joinToken: token, joined: false };
    const name = stored.name ?? nameByPattern(claims.name, os.hostname());
    const identity = { id: machineId, name, labels: claims.labels };
    const relay = { id: claims.relay.id, address: relayAddress ?? claims.relay.address };
    const origin = { relay, owner: claims.owner, identity, tokenName: claims.name };
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

  /** Public keys that may grant. */
  get owners(): readonly PublicKey[] {
    return this.#roster?.owners ?? [this.#firstOwner];
  }

  /** The seq of the roster in force; 0 before the first. */
  get rosterSeq(): number {
    return this.#roster?.seq ?? 0;
  }

  /** The machine record in force; empty if there is only the join token. */
  get machineRecord(): string {
    return this.#stored.machineRecord ?? "";
  }

  /** The relay's word that this machine has joined; empty before the first. */
  get receipt(): string {
    return this.#stored.receipt ?? "";
  }

  /**
   * Returns the rosters that lead a relay from the one with this seq to the present one, the oldest first.
   */
  rostersBehind(seq: number): readonly string[] {
    const { roster, handOvers = [] } = this.#stored;
    const found: string[] = [];
    let bytes = 0;
    for (const statement of [...handOvers, ...(roster === undefined ? [] : [roster])].reverse()) {
      bytes += statement.length;
      if (bytes > MAX_ROSTERS_BYTES || readRoster(statement).seq <= seq) break;
      if (statement !== found.at(-1)) found.push(statement);
    }
    return found.reverse();
  }

  /** True if a key has been revoked. */
  isRevoked(keyId: string): boolean {
    return this.#revoked.has(keyId);
  }

  /** True if a key may grant. */
  isOwner(keyId: KeyId): boolean {
    return this.#ownerIds.has(keyId);
  }

  /**
   * Calls the listener whenever a new roster or machine record has come into force, until the returned
   * function is called.
   */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The join token for the hello; empty once a relay has welcomed this machine. */
  get pendingJoinToken(): string {
    return this.#stored.joined ? "" : this.#stored.joinToken;
  }

  /** The host name for the hello, if the pending join token leaves the machine's name to it; else empty. */
  get hostnameForToken(): string {
    return !this.#stored.joined && isNamePattern(this.#tokenName) ? os.hostname() : "";
  }

  /**
   * Adopts the statements of a relay's welcome; those that are not newer change nothing. An adopted statement
   * is in force even if it can't be written to disk.
   * @throws CmdopError GrantRefused for a roster that no present owner has signed, LinkRefused for such a
   * record, or for a name that the join token does not allow
   */
  async welcomed(statements: {
    roster: string;
    machineRecord: string;
    receipt?: string;
    name?: string;
  }): Promise<void> {
    const { roster, machineRecord, receipt = "", name = "" } = statements;
    if (name !== "") this.#adoptName(name);
    if (roster !== "") {
      const claims = await verifyRoster(roster, this.owners);
      const isHandOver = new Set(claims.owners).symmetricDifference(new Set(this.owners)).size > 0;
      if (this.#adoptRoster(claims)) {
        this.#stored.roster = roster;
        if (isHandOver) {
          this.#stored.handOvers = [...(this.#stored.handOvers ?? []), roster].slice(-MAX_HAND_OVERS);
        }
        this.#changed();
      }
    }
    if (this.#mayBeNews(machineRecord)) {
      if (this.#adoptRecord(await verifyMachineRecord(machineRecord, this.owners))) {
        this.#stored.machineRecord = machineRecord;
        this.#changed();
      }
    }
    this.#stored.joined = true;
    if (receipt !== "" && receipt.length <= MAX_RECEIPT_CHARACTERS) this.#stored.receipt = receipt;
    await this.#save().catch((thrown) => {
      if (!isDiskTrouble(thrown)) throw thrown;
      this.#onTrouble(thrown);
    });
  }

  /** Starts writing what could not be written before; returns true if everything is on disk. */
  retry(): boolean {
    const isSaved = this.#saved === this.#text();
    // The result is seen by the next call.
    if (!isSaved) this.#save().catch(this.#onTrouble);
    return isSaved;
  }

  /**
   * Checks whether a record is newer than ours. An old one need not be signed by a present owner, because a
   * former one has signed it.
   */
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

  /** Takes the name that a relay gives by the token's pattern, once: the host name may change later. */
  #adoptName(name: string): void {
    if (!isNamePattern(this.#tokenName) || this.#stored.name !== undefined || this.#recordSeq > 0) return;
    checkNameByPattern(name, this.#tokenName, os.hostname());
    this.#stored.name = name;
    this.#identity = { ...this.#identity, name };
  }

  #adoptRecord(record: MachineRecord): boolean {
    if (record.id !== this.#identity.id || record.seq <= this.#recordSeq) return false;
    this.#recordSeq = record.seq;
    this.#identity = { id: record.id, name: record.name, labels: record.labels };
    return true;
  }

  /** Waits until nothing is being written any more. */
  async settled(): Promise<void> {
    await Promise.allSettled([this.#saving]);
  }

  /**
   * Writes changes one after the other: two lanes may be welcomed at once, and the newer state must be the
   * last on disk.
   */
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

/** True if a token was signed by an owner whom the machine trusts already. */
async function isOfSameOwners(token: string, { joinToken, roster }: Stored): Promise<boolean> {
  const [now, before] = await Promise.all([openJoinToken(token), openJoinToken(joinToken)]);
  const owners = roster === undefined ? [before.owner] : readRoster(roster).owners;
  return owners.includes(now.owner);
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
