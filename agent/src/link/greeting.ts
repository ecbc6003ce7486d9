import type { TLSSocket } from "node:tls";
import {
  CmdopError,
  type ErrorCode,
  type Handlers,
  HELLO_NONCE_BYTES,
  isErrorCode,
  type KeyPair,
  Lane,
  type LaneName,
  LINK_EXPORTER,
  type Link,
  signHello,
} from "@cmdop/proto";
import { auditFeed } from "../audit/audit-feed.ts";
import type { MachineAudit } from "../audit/machine-audit.ts";
import type { Membership } from "../state/membership.ts";

/** Streams of the audit chain at once on a link: a relay needs one, and may not have noticed yet that its last one broke. */
const MAX_AUDIT_FEEDS = 4;

/** How a lane is named on the wire. */
const WIRE_LANES: Readonly<Record<LaneName, Lane>> = {
  interactive: Lane.INTERACTIVE,
  download: Lane.DOWNLOAD,
  upload: Lane.UPLOAD,
};

/** Who is greeting. */
export interface Greeter {
  readonly machineKey: KeyPair;
  readonly membership: Membership;
  readonly audit: MachineAudit;
  /** A UUID made at the start of this process. */
  readonly bootId: string;
  readonly agentVersion: string;
}

/** The agent's half of Hello and Welcome on one connection. Hello can happen once; a later Welcome brings newer statements. */
export interface Greeting {
  readonly handlers: Handlers<typeof Link, undefined>;
  /** Whether calls may be answered on this connection. */
  readonly welcomed: boolean;
  /** Resolves with the welcome, rejects with the relay's refusal. */
  readonly done: Promise<void>;
}

/** Prepares the greeting of one connection. */
export function createGreeting(
  greeter: Greeter,
  lane: LaneName,
  tls: Pick<TLSSocket, "exportKeyingMaterial">,
): Greeting {
  const { machineKey, membership, audit, bootId, agentVersion } = greeter;
  const { promise: done, resolve, reject } = Promise.withResolvers<void>();
  let state: "expecting-hello" | "expecting-welcome" | "welcomed" | "refused" = "expecting-hello";
  let feeds = 0;
  const handlers: Handlers<typeof Link, undefined> = {
    async hello({ nonce }) {
      if (state !== "expecting-hello") throw outOfOrder("Hello");
      if (nonce.length !== HELLO_NONCE_BYTES) {
        throw new CmdopError("InvalidArgument", `A hello's nonce has ${HELLO_NONCE_BYTES} bytes.`);
      }
      state = "expecting-welcome";
      const laneNumber = WIRE_LANES[lane];
      const exporter = tls.exportKeyingMaterial(LINK_EXPORTER.length, LINK_EXPORTER.label, Buffer.alloc(0));
      return {
        machineKey: Buffer.from(machineKey.publicKey, "base64url"),
        joinToken: membership.pendingJoinToken,
        bootId,
        lane: laneNumber,
        signature: signHello({ nonce, exporter, bootId, lane: laneNumber }, machineKey),
        agentVersion,
        rosterSeq: BigInt(membership.rosterSeq),
        receipt: membership.receipt,
        machineRecord: membership.machineRecord,
        hostname: membership.hostnameForToken,
      };
    },
    async welcome({ refusedCode, refusedReason, roster, machineRecord, receipt, name }) {
      // On a link that is up a welcome brings newer statements, and nothing else.
      const isUpdate = state === "welcomed" && refusedCode === "";
      if (state !== "expecting-welcome" && !isUpdate) throw outOfOrder("Welcome");
      if (refusedCode !== "") {
        state = "refused";
        const code: ErrorCode = isErrorCode(refusedCode) ? refusedCode : "LinkRefused";
        reject(new CmdopError(code, `The relay refuses this machine: ${refusedReason}`));
      } else {
        // Refused statements change nothing: another welcome may bring those that this machine still lacks.
        await membership.welcomed({ roster, machineRecord, receipt, name });
        state = "welcomed";
        resolve();
      }
      return { rosterSeq: BigInt(membership.rosterSeq) };
    },
    async rosters({ after }) {
      // Also before its welcome: what a relay has lost may be by what it would refuse this machine.
      if (state !== "expecting-welcome" && state !== "welcomed") throw outOfOrder("Rosters");
      return { rosters: [...membership.rostersBehind(Number(after))] };
    },
    async *audit(request, { signal }) {
      if (state !== "welcomed") throw outOfOrder("Audit");
      if (feeds >= MAX_AUDIT_FEEDS) {
        throw new CmdopError("LimitExceeded", `A link carries at most ${MAX_AUDIT_FEEDS} audit streams.`);
      }
      feeds += 1;
      try {
        yield* auditFeed(audit, request, signal);
      } finally {
        feeds -= 1;
      }
    },
  };
  return {
    handlers,
    done,
    get welcomed() {
      return state === "welcomed";
    },
  };
}

function outOfOrder(call: string): CmdopError {
  return new CmdopError("InvalidArgument", `${call} is out of order on this link.`);
}
