import {
  type Admit,
  Audit,
  CmdopError,
  type Handlers,
  HEADERS,
  type KeyId,
  Keys,
  type MachineIdentity,
  Machines,
  OWNER_SCOPES,
  Roster,
  type RpcServer,
  serve,
  statementSigner,
} from "@cmdop/proto";
import type { VerifiedGrant } from "../data/directory.ts";
import { visibleMachines } from "../data/route.ts";
import { VERSION } from "../version.ts";
import type { Trust } from "./trust.ts";

/** Number of keys on one page of a list: grants of the largest kind still fit into one message. */
const KEYS_PER_PAGE = 200;

/** The caller, as identified by the front door. */
interface RelayCaller {
  readonly keyId: KeyId;
  /** The caller's grant; undefined for an owner. */
  readonly grant: VerifiedGrant | undefined;
}

/** Options of the services. */
export interface ServicesOptions {
  readonly trust: Trust;
  readonly isOnline: (machineId: string) => boolean;
  /**
   * Called when another roster is in force. Resolves when the agents have heard of it, or the time for it is
   * over.
   */
  readonly onRoster: () => Promise<void>;
  /** Called when a key may no longer call. */
  readonly onBlocked: () => void;
  /**
   * Called when a machine has another record. Resolves when its agent has heard of it, or the time for it is
   * over.
   */
  readonly onRecord: (machineId: string) => Promise<void>;
  /** Called when a machine is removed. Resolves when its links have ended. */
  readonly onRemoved: (machineId: string) => Promise<void>;
  /** Ends the quarantine of a machine, if it is in one. */
  readonly onRelease: (machine: MachineIdentity) => Promise<void>;
  readonly audit: Handlers<typeof Audit, RelayCaller>;
}

/**
 * Adds the relay's own services. They are reached only through the front door, which has checked token,
 * grant, scopes and owner.
 */
export function addServices(server: RpcServer, options: ServicesOptions): void {
  const { trust, isOnline, onRoster, onBlocked, onRecord, onRemoved, onRelease, audit } = options;
  const admit: Admit<RelayCaller> = async ({ header }) => {
    const keyId = header(HEADERS.caller);
    if (keyId === undefined)
      throw new CmdopError("Unauthenticated", "The relay's front door named no caller.");
    // The roster may have changed since the front door checked.
    if (trust.isRevoked(keyId)) throw new CmdopError("KeyRevoked", "This key has been revoked.");
    const isOwner = trust.ownerKey(keyId) !== undefined;
    const grant = isOwner ? undefined : await trust.grantOf(keyId);
    if (!isOwner && grant === undefined)
      throw new CmdopError("KeyUnknown", `This relay knows no key ${keyId}.`);
    return { caller: { keyId, grant } };
  };

  const summaries = (caller: RelayCaller) =>
    visibleMachines(trust, caller).map(({ id }: MachineIdentity) => {
      const machine = trust.machine(id);
      if (machine === undefined) throw new CmdopError("MachineUnknown", `The machine ${id} is gone.`);
      const { name, labels, agentVersion, lastSeenMs } = machine;
      const online = isOnline(id);
      const recordSeq = BigInt(machine.recordSeq);
      return {
        id,
        name,
        labels,
        agentVersion,
        online,
        lastSeenMs: online ? Date.now() : lastSeenMs,
        recordSeq,
        quarantinedSinceMs: trust.quarantinedSinceMs(id) ?? 0,
      };
    });

  /** Returns a machine that the key reaches. Any other is as unknown to it as one that does not exist. */
  const reachable = (caller: RelayCaller, machineId: string): MachineIdentity => {
    const machine = visibleMachines(trust, caller).find(({ id }) => id === machineId);
    if (machine !== undefined) return machine;
    throw new CmdopError(
      "MachineUnknown",
      `This key reaches no machine with the id ${JSON.stringify(machineId)}.`,
    );
  };

  const machines: Handlers<typeof Machines, RelayCaller> = {
    async list(_request, { caller }) {
      return { machines: summaries(caller) };
    },
    async put({ record }) {
      const { id, recordSeq } = await trust.putRecord(record);
      await onRecord(id);
      return { seq: BigInt(recordSeq) };
    },
    async remove({ machineId }, { caller }) {
      reachable(caller, machineId);
      await trust.removeMachine(machineId);
      await onRemoved(machineId);
      return {};
    },
    async release({ machineId }, { caller }) {
      await onRelease(reachable(caller, machineId));
      return {};
    },
  };

  const keys: Handlers<typeof Keys, RelayCaller> = {
    async put({ grant }) {
      return { keyId: await trust.putGrant(grant) };
    },
    async whoAmI(_request, { caller }) {
      const claims = caller.grant?.claims;
      return {
        keyId: caller.keyId,
        name: claims?.name ?? "",
        scopes: [...(claims?.scopes ?? OWNER_SCOPES)],
        notAfter: claims?.not_after ?? 0,
        owner: claims === undefined,
        machines: summaries(caller),
        relayTimeMs: Date.now(),
        relayVersion: VERSION,
      };
    },
    async list({ after, keyId }) {
      const grants = keyId === "" ? await trust.grants(after, KEYS_PER_PAGE) : await trust.storedGrant(keyId);
      return {
        keys: grants.map(({ keyId, statement, lastUsedMs }) => ({
          keyId,
          grant: statement,
          lastUsedMs,
          revoked: trust.isRevokedByRoster(keyId),
          blocked: trust.isBlocked(keyId),
          orphaned: trust.ownerKey(statementSigner(statement) ?? "") === undefined,
        })),
        next: grants.length === KEYS_PER_PAGE ? (grants.at(-1)?.keyId ?? "") : "",
      };
    },
    async block({ keyId }) {
      await trust.block(keyId);
      onBlocked();
      return {};
    },
  };

  const roster: Handlers<typeof Roster, RelayCaller> = {
    async get({ handOvers }) {
      const current = trust.roster();
      if (current === undefined) {
        throw new CmdopError("NotFound", "This relay has no roster yet.", { next: "Put one: cmdop init." });
      }
      return { roster: current.statement, handOvers: handOvers ? [...trust.pastRosters().answer] : [] };
    },
    async put({ roster: statement }) {
      const { seq } = await trust.putRoster(statement);
      await onRoster();
      return { seq: BigInt(seq) };
    },
  };

  serve(server, Machines, admit, machines);
  serve(server, Keys, admit, keys);
  serve(server, Roster, admit, roster);
  serve(server, Audit, admit, audit);
}
