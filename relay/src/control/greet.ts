import { randomBytes } from "node:crypto";
import type { ClientHttp2Session } from "node:http2";
import type { TLSSocket } from "node:tls";
import {
  CmdopError,
  checkJoinTokenTime,
  HELLO_NONCE_BYTES,
  isNamePattern,
  Lane,
  type LaneName,
  LINK_EXPORTER,
  MAX_NAMESAKES,
  type MachineIdentity,
  nameByPattern,
  readMachineRecord,
  readRoster,
  thumbprint,
  verifyHello,
  verifyJoinToken,
} from "@cmdop/proto";
import { z } from "zod";
import type { Admission, Greet } from "../data/link.ts";
import type { Log } from "../log.ts";
import type { BootIds } from "./boot-ids.ts";
import { bringStatements } from "./bring-statements.ts";
import { ANSWER, linkClient, ROSTERS_ANSWER } from "./link-client.ts";
import type { Receipts } from "./receipts.ts";
import type { StoredMachine } from "./store.ts";
import { checkNotFromFuture, type Trust } from "./trust.ts";

const LANES: Readonly<Record<number, LaneName>> = {
  [Lane.INTERACTIVE]: "interactive",
  [Lane.DOWNLOAD]: "download",
  [Lane.UPLOAD]: "upload",
};

/** The agent's claim about itself, limited in size. */
const claimSchema = z.object({
  machineKey: z.instanceof(Uint8Array).refine((key) => key.length === 32, "a machine key has 32 bytes"),
  signature: z
    .instanceof(Uint8Array)
    .refine((signature) => signature.length === 64, "a signature has 64 bytes"),
  bootId: z.uuid(),
  agentVersion: z.string().max(64),
  joinToken: z.string(),
  lane: z.number(),
  rosterSeq: z.bigint(),
  receipt: z.string(),
  machineRecord: z.string(),
  hostname: z.string().max(255),
});
type Claim = z.infer<typeof claimSchema>;

/** Options of a greeting. */
export interface GreetOptions {
  readonly trust: Trust;
  readonly bootIds: BootIds;
  readonly receipts: Receipts;
  /** Called when another roster is in force. */
  readonly onRoster: () => void;
  /** Called when two agents have shown the key of one machine. `address`: the sender of the second hello. */
  readonly onCloned: (machine: StoredMachine, address: string) => Promise<void>;
  readonly log: Log;
}

/** A challenge for an agent, and the moment before which it was made. */
interface Challenge {
  readonly nonce: Buffer;
  readonly at: number;
}

/** Makes the relay's half of Hello and Welcome. */
export function createGreet({ trust, bootIds, receipts, onRoster, onCloned, log }: GreetOptions): Greet {
  return async (session, tls, address) => {
    const agent = linkClient(session);
    const nonce = randomBytes(HELLO_NONCE_BYTES);
    const challenge = { nonce, at: bootIds.moment() };
    const roster = trust.roster();
    const hello = { nonce, relayTimeMs: Date.now(), rosterSeq: BigInt(roster?.claims.seq ?? 0) };
    const answer = await agent.hello(hello, ANSWER);
    const verdict = await examine(session, answer, challenge, tls, address).catch((thrown) =>
      CmdopError.from(thrown),
    );
    if (verdict instanceof CmdopError) {
      const refusal = { refusedCode: verdict.code, refusedReason: verdict.message };
      await agent.welcome(refusal, ANSWER);
      throw verdict;
    }
    await bringStatements(session, { trust, receipts }, verdict.machineId);
    const machine = trust.machine(verdict.machineId);
    if (machine === undefined) throw refused("its machine has just been removed");
    if (trust.quarantinedSinceMs(machine.id) !== undefined) throw quarantined(machine);
    return verdict;
  };

  async function examine(
    session: ClientHttp2Session,
    answer: unknown,
    challenge: Challenge,
    tls: TLSSocket,
    address: string,
  ): Promise<Admission> {
    const claim = claimSchema.safeParse(answer);
    const lane = claim.success ? LANES[claim.data.lane] : undefined;
    if (!claim.success || lane === undefined) throw refused("its hello is incomplete");
    const { bootId, agentVersion } = claim.data;
    const machineKey = Buffer.from(claim.data.machineKey).toString("base64url");
    const exporter = tls.exportKeyingMaterial(LINK_EXPORTER.length, LINK_EXPORTER.label, Buffer.alloc(0));
    const transcript = { nonce: challenge.nonce, exporter, bootId, lane: claim.data.lane };
    if (!verifyHello(transcript, claim.data.signature, machineKey)) {
      throw refused("its signature does not fit this connection");
    }
    const id = thumbprint(machineKey);
    const member = receipts.read(claim.data.receipt, id);
    if (member !== undefined || trust.machine(id) !== undefined) {
      await learn(session, member?.name ?? trust.machine(id)?.name ?? "", claim.data);
    }
    if (trust.roster() === undefined) {
      throw new CmdopError("LinkRefused", "This relay has no roster yet.", {
        next: "Put the owner's roster on the relay first.",
      });
    }
    const machine = await knownMachine(claim.data, machineKey, member);
    if (trust.quarantinedSinceMs(machine.id) !== undefined) throw quarantined(machine);
    const start = bootIds.note(machine.id, bootId, challenge.at);
    if (start === "cloned") {
      await onCloned(machine, address);
      throw quarantined(machine);
    }
    if (start === "stale") throw refused("its machine's agent has been restarted meanwhile");
    return { machineId: machine.id, machineName: machine.name, lane, bootId, agentVersion };
  }

  /** Takes newer rosters from a machine that has joined, because this relay has lost them. */
  async function learn(session: ClientHttp2Session, machine: string, claim: Claim): Promise<void> {
    const after = trust.rosterSeq();
    if (claim.rosterSeq <= BigInt(after)) return;
    let why: CmdopError | undefined;
    try {
      const { rosters } = await linkClient(session).rosters({ after: BigInt(after) }, ROSTERS_ANSWER);
      for (const roster of rosters) {
        // Some of the older ones may be signed by owners whom this relay has never known.
        why = await learnRoster(roster, machine).then(() => undefined, CmdopError.from);
      }
    } catch (thrown) {
      why = CmdopError.from(thrown);
    }
    if (why !== undefined) {
      const { code, message } = why;
      log.warn("machine holds a newer roster, which can't be taken", { machine, code, message });
    }
    if (trust.rosterSeq() !== after) onRoster();
  }

  async function learnRoster(roster: string, machine: string): Promise<void> {
    const before = trust.rosterSeq();
    if (readRoster(roster).seq <= before) return;
    const blocked = await trust.learnRoster(roster);
    log.warn("roster learned from a machine: this relay had lost it", {
      machine,
      had: before,
      has: trust.rosterSeq(),
    });
    if (blocked.length > 0) {
      log.error("keys that an older roster revoked here are blocked: the owner must revoke them again", {
        keys: blocked,
      });
    }
  }

  /**
   * Takes the record that a machine holds, if it is newer than the relay's. If the owner who signed it has
   * left by now, the relay keeps its own.
   */
  async function learnRecord(machine: StoredMachine, record: string): Promise<StoredMachine> {
    try {
      if (record === "" || readMachineRecord(record).seq <= machine.recordSeq) return machine;
      return await trust.putRecord(record);
    } catch (thrown) {
      const { code, message } = CmdopError.from(thrown);
      log.warn("machine holds a newer record, which can't be taken", {
        machine: machine.name,
        code,
        message,
      });
      return machine;
    }
  }

  /**
   * Returns the machine of this key: one that has joined before, joins with its token now, or had joined
   * before this relay lost its store.
   */
  async function knownMachine(
    claim: Claim,
    machineKey: string,
    member: MachineIdentity | undefined,
  ): Promise<StoredMachine> {
    const id = thumbprint(machineKey);
    const known = trust.machine(id) ?? (await readmitted(member, machineKey));
    if (claim.joinToken === "") {
      if (known !== undefined) return learnRecord(known, claim.machineRecord);
      throw refused(
        "this relay does not know its machine, which was removed or has lost its receipt; it can join again with a new token from its owner (cmdop join-token NAME, and cmdop agent --join - there)",
      );
    }
    try {
      return await join(claim, id, machineKey);
    } catch (thrown) {
      // A known machine stays admitted, whatever old token its start script still names.
      if (known === undefined) throw thrown;
      log.warn("join token of a known machine ignored", {
        machine: known.name,
        why: CmdopError.from(thrown).message,
      });
      return known;
    }
  }

  async function readmitted(
    member: MachineIdentity | undefined,
    publicKey: string,
  ): Promise<StoredMachine | undefined> {
    if (member === undefined) return undefined;
    const machine = await trust.readmit({ ...member, publicKey });
    if (machine !== undefined) {
      log.warn("machine taken back by its receipt: this relay had lost it", {
        machine: machine.name,
        id: machine.id,
      });
    }
    return machine;
  }

  async function join({ joinToken, hostname }: Claim, id: string, publicKey: string): Promise<StoredMachine> {
    const token = await verifyJoinToken(joinToken, trust.owners());
    if (token.relay.id !== trust.relayId) throw refused(`its join token is for relay ${token.relay.id}`);
    checkJoinTokenTime(token, trust.nowS());
    checkNotFromFuture("join token", "LinkRefused", token.iat, trust.nowS());
    if (!trust.pastRosters().canFollow(token.owner)) {
      throw new CmdopError(
        "LinkRefused",
        "The agent is refused: the owner of its join token has not signed any roster of this relay that the agent could start from.",
        { next: "Let that owner sign the roster: cmdop join-token does so before it makes a new token." },
      );
    }
    const { labels, jti, uses } = token;
    const name = nameByPattern(token.name, hostname);
    const otherNames = isNamePattern(token.name) ? namesakes(token.name, hostname) : undefined;
    const use = { tokenId: jti, uses, machine: { id, publicKey, name, labels }, otherNames };
    const machine = await trust.join(use);
    if (machine === undefined) throw refused("its join token has been used already");
    log.info("machine joined", { machine: machine.name, id });
    return machine;
  }
}

/** Names for a machine whose host name another machine has: `web-2`, `web-3` and so on. */
function* namesakes(pattern: string, hostname: string): Generator<string> {
  for (let number = 2; number <= MAX_NAMESAKES; number += 1) yield nameByPattern(pattern, hostname, number);
}

function quarantined(machine: StoredMachine): CmdopError {
  return new CmdopError(
    "MachineQuarantined",
    `The machine ${machine.name} is quarantined: two agents have used its key, and its owner has not yet decided which one may stay.`,
  );
}

function refused(why: string): CmdopError {
  return new CmdopError("LinkRefused", `The agent is refused: ${why}.`);
}
