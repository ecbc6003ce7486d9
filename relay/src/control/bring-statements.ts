import type { ClientHttp2Session } from "node:http2";
import { CmdopError, statementSigner } from "@cmdop/proto";
import { ANSWER, linkClient } from "./link-client.ts";
import type { Receipts } from "./receipts.ts";
import type { Trust } from "./trust.ts";

/** What one welcome brings. */
interface Statements {
  readonly roster: string;
  readonly machineRecord: string;
}

/** Who brings it. */
export interface Bringer {
  readonly trust: Trust;
  readonly receipts: Receipts;
}

/**
 * Brings the owner's statements in force to an agent that is admitted, or was
 * before, and once more where they change meanwhile. An agent that was away
 * while the owners changed, or joins by the token of an owner who did not sign
 * last, refuses the present roster: it is brought along by the ones in between.
 */
export async function bringStatements(
  session: ClientHttp2Session,
  { trust, receipts }: Bringer,
  machineId: string,
): Promise<void> {
  const agent = linkClient(session);
  const welcome = (statements: Partial<Statements>): Promise<unknown> => {
    const machine = trust.machine(machineId);
    const receipt = machine === undefined ? "" : receipts.issue(machine);
    return agent.welcome({ ...statements, receipt }, ANSWER);
  };

  for (;;) {
    const roster = trust.roster()?.statement ?? "";
    const record = trust.machine(machineId)?.record ?? "";
    const isOrphaned = record !== "" && trust.ownerKey(statementSigner(record) ?? "") === undefined;
    // Only before it hears that the record's owner has left can an agent take it.
    if (isOrphaned) await refusable(welcome({ machineRecord: record }));
    const present = { roster, machineRecord: isOrphaned ? "" : record };
    if (!(await refusable(welcome(present)))) {
      for (const past of trust.pastRosters().statements) await refusable(welcome({ roster: past }));
      await welcome(present);
    }
    const isStillSo =
      roster === (trust.roster()?.statement ?? "") && record === (trust.machine(machineId)?.record ?? "");
    if (isStillSo) return;
  }
}

/** False where the agent does not know the signer of what it was brought. */
async function refusable(answer: Promise<unknown>): Promise<boolean> {
  try {
    await answer;
    return true;
  } catch (thrown) {
    // What a roster, and a machine record, of a stranger is refused with.
    const { code } = CmdopError.from(thrown);
    if (code === "GrantRefused" || code === "LinkRefused") return false;
    throw thrown;
  }
}
