import type { ClientHttp2Session } from "node:http2";
import { CmdopError, statementSigner } from "@cmdop/proto";
import { ANSWER, linkClient } from "./link-client.ts";
import type { Receipts } from "./receipts.ts";
import type { Trust } from "./trust.ts";

/** The statements in one welcome. */
interface Statements {
  readonly roster: string;
  readonly machineRecord: string;
}

/** The sources of the statements. */
export interface Bringer {
  readonly trust: Trust;
  readonly receipts: Receipts;
}

/**
 * Sends the owner's statements in force to an agent that is admitted, and again if they change meanwhile. An
 * agent that was away while the owners changed, or joins by the token of an owner who did not sign last,
 * refuses the present roster; it then gets the rosters in between first.
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
    // A name beyond the token's is the owner's record.
    const name = machine?.record === "" ? machine.name : "";
    return agent.welcome({ ...statements, receipt, name }, ANSWER);
  };

  for (;;) {
    const roster = trust.roster()?.statement ?? "";
    const record = trust.machine(machineId)?.record ?? "";
    const isOrphaned = record !== "" && trust.ownerKey(statementSigner(record) ?? "") === undefined;
    // An agent can take the record only before it learns that the record's owner has left.
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

/** Returns false if the agent does not know the signer of a statement. */
async function refusable(answer: Promise<unknown>): Promise<boolean> {
  try {
    await answer;
    return true;
  } catch (thrown) {
    // These are the codes for a roster, and for a machine record, of an unknown signer.
    const { code } = CmdopError.from(thrown);
    if (code === "GrantRefused" || code === "LinkRefused") return false;
    throw thrown;
  }
}
