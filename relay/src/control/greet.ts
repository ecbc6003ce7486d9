import { randomBytes } from "node:crypto";
import type { TLSSocket } from "node:tls";
import {
  CmdopError,
  checkJoinTokenTime,
  HELLO_NONCE_BYTES,
  Lane,
  type LaneName,
  LINK_EXPORTER,
  thumbprint,
  verifyHello,
  verifyJoinToken,
} from "@cmdop/proto";
import { z } from "zod";
import type { Admission, Greet } from "../data/link.ts";
import type { Log } from "../log.ts";
import { BootIds } from "./boot-ids.ts";
import { bringStatements } from "./bring-statements.ts";
import { ANSWER, linkClient } from "./link-client.ts";
import type { StoredMachine } from "./store.ts";
import { checkNotFromFuture, type Trust } from "./trust.ts";

const LANES: Readonly<Record<number, LaneName>> = {
  [Lane.INTERACTIVE]: "interactive",
  [Lane.DOWNLOAD]: "download",
  [Lane.UPLOAD]: "upload",
};

/** What the agent says of itself, and nothing more than fits. */
const claimSchema = z.object({
  machineKey: z.instanceof(Uint8Array).refine((key) => key.length === 32, "a machine key has 32 bytes"),
  signature: z
    .instanceof(Uint8Array)
    .refine((signature) => signature.length === 64, "a signature has 64 bytes"),
  bootId: z.uuid(),
  agentVersion: z.string().max(64),
  joinToken: z.string(),
  lane: z.number(),
});
type Claim = z.infer<typeof claimSchema>;

/** Hello and Welcome, the relay's half. */
export function createGreet(trust: Trust, log: Log): Greet {
  const bootIds = new BootIds();

  return async (session, tls) => {
    const agent = linkClient(session);
    const nonce = randomBytes(HELLO_NONCE_BYTES);
    const roster = trust.roster();
    const hello = { nonce, relayTimeMs: Date.now(), rosterSeq: BigInt(roster?.claims.seq ?? 0) };
    const answer = await agent.hello(hello, ANSWER);
    const verdict = await examine(answer, nonce, tls).catch((thrown) => CmdopError.from(thrown));
    if (verdict instanceof CmdopError) {
      const refusal = { refusedCode: verdict.code, refusedReason: verdict.message };
      await agent.welcome(refusal, ANSWER);
      throw verdict;
    }
    await bringStatements(session, trust, verdict.machineId);
    if (trust.machine(verdict.machineId) === undefined) throw refused("its machine has just been removed");
    return verdict;
  };

  async function examine(answer: unknown, nonce: Buffer, tls: TLSSocket): Promise<Admission> {
    const claim = claimSchema.safeParse(answer);
    const lane = claim.success ? LANES[claim.data.lane] : undefined;
    if (!claim.success || lane === undefined) throw refused("its hello is not complete");
    const { bootId, agentVersion } = claim.data;
    const machineKey = Buffer.from(claim.data.machineKey).toString("base64url");
    const exporter = tls.exportKeyingMaterial(LINK_EXPORTER.length, LINK_EXPORTER.label, Buffer.alloc(0));
    const transcript = { nonce, exporter, bootId, lane: claim.data.lane };
    if (!verifyHello(transcript, claim.data.signature, machineKey)) {
      throw refused("its signature does not fit this connection");
    }
    if (trust.roster() === undefined) {
      throw new CmdopError("LinkRefused", "This relay has no roster yet.", {
        next: "Put the owner's roster on the relay first.",
      });
    }
    const machine = await knownMachine(claim.data, machineKey);
    const start = bootIds.note(machine.id, bootId);
    if (start !== "fine") {
      log.error("cloned identity: two agents use the key of one machine; the newer is refused", {
        machine: machine.name,
        id: machine.id,
        bootId,
        refused: start === "clone" ? "this start" : "the start before this one",
        address: tls.remoteAddress,
      });
    }
    if (start === "clone") {
      throw new CmdopError(
        "LinkRefused",
        `Another agent uses the identity of machine ${machine.name}: this one is a clone of it.`,
        { next: "Delete the agent's state directory on this computer and join it with a token of its own." },
      );
    }
    return { machineId: machine.id, machineName: machine.name, lane, bootId, agentVersion };
  }

  /** The machine of this key, joined before or with its token now. */
  async function knownMachine(claim: Claim, machineKey: string): Promise<StoredMachine> {
    const id = thumbprint(machineKey);
    const known = trust.machine(id);
    if (claim.joinToken === "") {
      if (known !== undefined) return known;
      throw refused("this relay does not know its machine, and it brings no join token");
    }
    try {
      return await join(claim.joinToken, id, machineKey);
    } catch (thrown) {
      // A machine that has joined stays in, whatever old token its start script still names.
      if (known === undefined) throw thrown;
      log.warn("join token of a known machine ignored", {
        machine: known.name,
        why: CmdopError.from(thrown).message,
      });
      return known;
    }
  }

  async function join(joinToken: string, id: string, publicKey: string): Promise<StoredMachine> {
    const token = await verifyJoinToken(joinToken, trust.owners());
    if (token.relay.id !== trust.relayId) throw refused(`its join token is for relay ${token.relay.id}`);
    checkJoinTokenTime(token, trust.nowS());
    checkNotFromFuture("join token", "LinkRefused", token.iat, trust.nowS());
    if (!trust.pastRosters().canFollow(token.owner)) {
      throw new CmdopError(
        "LinkRefused",
        "The agent is refused: the owner of its join token has signed no roster of this relay that it could begin with.",
        { next: "Let that owner sign the roster: cmdop join-token does, before it makes a new token." },
      );
    }
    const { name, labels, jti, uses } = token;
    const machine = await trust.join({ tokenId: jti, uses, machine: { id, publicKey, name, labels } });
    if (machine === undefined) throw refused("its join token has been used already");
    log.info("machine joined", { machine: name, id });
    return machine;
  }
}

function refused(why: string): CmdopError {
  return new CmdopError("LinkRefused", `The agent is refused: ${why}.`);
}
