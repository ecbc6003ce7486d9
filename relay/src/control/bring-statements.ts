import type { ClientHttp2Session } from "node:http2";
import { codec, Link, methodPath, statementSigner } from "@cmdop/proto";
import type { Trust } from "./trust.ts";
import { AgentRefusal, unaryCall } from "./unary-call.ts";

/** How long an agent may take for each answer, in milliseconds. */
const ANSWER_TIMEOUT_MS = 5_000;

/** The method that brings them. */
export const WELCOME = {
  path: methodPath(Link, Link.method.welcome),
  serialize: codec(Link.method.welcome.input).serialize,
  deserialize: codec(Link.method.welcome.output).deserialize,
};

/** What one welcome brings. */
interface Statements {
  readonly roster: string;
  readonly machineRecord: string;
}

/**
 * Brings the owner's statements in force to an agent that is admitted, or was
 * before, and once more where they change meanwhile. An agent that was away
 * while the owners changed, or joins by the token of an owner who did not sign
 * last, refuses the present roster: it is brought along by the ones in between.
 */
export async function bringStatements(
  session: ClientHttp2Session,
  trust: Trust,
  machineId: string,
): Promise<void> {
  const welcome = (statements: Partial<Statements>): Promise<unknown> =>
    unaryCall(session, WELCOME, { roster: "", machineRecord: "", ...statements }, ANSWER_TIMEOUT_MS);

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
    const isRefusal =
      thrown instanceof AgentRefusal && (thrown.code === "GrantRefused" || thrown.code === "LinkRefused");
    if (isRefusal) return false;
    throw thrown;
  }
}
