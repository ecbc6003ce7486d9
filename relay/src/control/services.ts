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
  serve,
} from "@cmdop/proto";
import type { Server } from "@grpc/grpc-js";
import type { VerifiedGrant } from "../data/directory.ts";
import { visibleMachines } from "../data/route.ts";
import type { Trust } from "./trust.ts";

/** Who calls, as the front door has found out. */
interface RelayCaller {
  readonly keyId: KeyId;
  /** Absent for an owner. */
  readonly grant: VerifiedGrant | undefined;
}

/** What the services need. */
export interface ServicesOptions {
  readonly trust: Trust;
  readonly isOnline: (machineId: string) => boolean;
  /** Called when another roster is in force. */
  readonly onRoster: () => void;
  readonly audit: Handlers<typeof Audit, RelayCaller>;
}

/** The relay's own services. They are reached only through the front door, which has checked token, grant, scopes and owner. */
export function addServices(server: Server, { trust, isOnline, onRoster, audit }: ServicesOptions): void {
  const admit: Admit<RelayCaller> = async ({ header }) => {
    const keyId = header(HEADERS.caller);
    if (keyId === undefined) throw new CmdopError("Unauthenticated", "The front door named no caller.");
    // The roster may have changed since the front door looked.
    if (trust.isRevoked(keyId)) throw new CmdopError("KeyRevoked", "The owner has revoked this key.");
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
      return { id, name, labels, agentVersion, online, lastSeenMs: online ? Date.now() : lastSeenMs };
    });

  const placeholder = async () => {
    throw new CmdopError("Unimplemented", "PLACEHOLDER");
  };

  const machines: Handlers<typeof Machines, RelayCaller> = {
    async list(_request, { caller }) {
      return { machines: summaries(caller) };
    },
    put: placeholder,
    remove: placeholder,
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
      };
    },
    list: placeholder,
    block: placeholder,
  };

  const roster: Handlers<typeof Roster, RelayCaller> = {
    async get() {
      const current = trust.roster();
      if (current === undefined) {
        throw new CmdopError("NotFound", "This relay has no roster yet.", { next: "Put one: cmdop init." });
      }
      return { roster: current.statement };
    },
    async put({ roster: statement }) {
      const { seq } = await trust.putRoster(statement);
      onRoster();
      return { seq: BigInt(seq) };
    },
  };

  serve(server, Machines, admit, machines);
  serve(server, Keys, admit, keys);
  serve(server, Roster, admit, roster);
  serve(server, Audit, admit, audit);
}
