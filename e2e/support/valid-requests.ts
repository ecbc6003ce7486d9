import { createHash } from "node:crypto";
import path from "node:path";
import {
  Agent,
  Approvals,
  Audit,
  codec,
  type ErrorCode,
  Exec,
  Files,
  generateKeyPair,
  Jobs,
  Keys,
  Machine,
  Machines,
  Roster,
  Sessions,
  signMachineRecord,
} from "@cmdop/proto";
import type { TrustWorld, WorldMachine } from "./trust-world.ts";

/** What a request is made of. */
export interface Circumstances {
  readonly world: TrustWorld;
  readonly machine: WorldMachine;
  /** A directory that holds the file `file`; what the request names lies in it. */
  readonly directory: string;
}

/** A request that nothing is wrong with, and how it is answered where the caller may make it. */
export interface ValidRequest {
  readonly message: (circumstances: Circumstances) => Uint8Array | Promise<Uint8Array>;
  /** `Ok`, or the codes that say that the handler has looked and found nothing there. */
  readonly answers: readonly ("Ok" | ErrorCode)[];
}

/** A file that every directory of the test has. */
export const FILE = "file";

let count = 0;
/** A name that nothing has. */
const fresh = (directory: string): string => {
  count += 1;
  return path.join(directory, `new-${count}`);
};
const existing = (directory: string): string => path.join(directory, FILE);
const size = { cols: 80, rows: 24 };
const nobody = generateKeyPair().id;

/** For every method of the table one valid request. A method that is missing here fails the matrix. */
export const VALID_REQUESTS: Readonly<Record<string, ValidRequest>> = {
  "/cmdop.v1.Exec/Start": ok(() =>
    codec(Exec.method.start.input).serialize({
      jobId: crypto.randomUUID(),
      command: { case: "argv", value: { args: ["/bin/true"] } },
    }),
  ),

  "/cmdop.v1.Sessions/Create": ok(() =>
    codec(Sessions.method.create.input).serialize({
      sessionId: crypto.randomUUID(),
      shell: ["/bin/true"],
      size,
    }),
  ),
  "/cmdop.v1.Sessions/Resize": unknownJob((sessionId) =>
    codec(Sessions.method.resize.input).serialize({ sessionId, size }),
  ),
  "/cmdop.v1.Sessions/Screen": unknownJob((sessionId) =>
    codec(Sessions.method.screen.input).serialize({ sessionId }),
  ),
  "/cmdop.v1.Sessions/History": unknownJob((sessionId) =>
    codec(Sessions.method.history.input).serialize({ sessionId }),
  ),

  "/cmdop.v1.Jobs/Attach": unknownJob((jobId) => codec(Jobs.method.attach.input).serialize({ jobId })),
  "/cmdop.v1.Jobs/Input": unknownJob((jobId) =>
    codec(Jobs.method.input.input).serialize({ jobId, writerId: crypto.randomUUID(), eof: true }),
  ),
  // A Cancel that comes before its Start leaves a mark.
  "/cmdop.v1.Jobs/Cancel": ok(() =>
    codec(Jobs.method.cancel.input).serialize({ jobId: crypto.randomUUID() }),
  ),
  "/cmdop.v1.Jobs/Signal": unknownJob((jobId) =>
    codec(Jobs.method.signal.input).serialize({ jobId, signal: "SIGINT" }),
  ),
  "/cmdop.v1.Jobs/List": ok(() => codec(Jobs.method.list.input).serialize({})),

  // The machine of the matrix has no model: whoever may run an agent is told what to set.
  "/cmdop.v1.Agent/Run": {
    message: () =>
      codec(Agent.method.run.input).serialize({ runId: crypto.randomUUID(), prompt: "Say hello." }),
    answers: ["ModelMissing"],
  },
  "/cmdop.v1.Agent/Attach": unknownJob((runId) => codec(Agent.method.attach.input).serialize({ runId })),
  "/cmdop.v1.Agent/Cancel": ok(() =>
    codec(Agent.method.cancel.input).serialize({ runId: crypto.randomUUID() }),
  ),
  "/cmdop.v1.Agent/Approve": unknownJob((runId) =>
    codec(Agent.method.approve.input).serialize({ runId, callId: "call-1", approve: true }),
  ),

  "/cmdop.v1.Files/List": ok(({ directory }) =>
    codec(Files.method.list.input).serialize({ path: directory }),
  ),
  "/cmdop.v1.Files/Walk": ok(({ directory }) =>
    codec(Files.method.walk.input).serialize({ path: directory }),
  ),
  "/cmdop.v1.Files/Search": ok(({ directory }) =>
    codec(Files.method.search.input).serialize({ path: directory, names: ["*"] }),
  ),
  "/cmdop.v1.Files/Read": ok(({ directory }) =>
    codec(Files.method.read.input).serialize({ path: existing(directory) }),
  ),
  "/cmdop.v1.Files/Info": ok(({ directory }) =>
    codec(Files.method.info.input).serialize({ path: existing(directory) }),
  ),
  "/cmdop.v1.Files/ReadStream": ok(({ directory }) =>
    codec(Files.method.readStream.input).serialize({ path: existing(directory) }),
  ),
  "/cmdop.v1.Files/Write": ok(({ directory }) =>
    codec(Files.method.write.input).serialize({ path: fresh(directory), content: Buffer.from("x") }),
  ),
  "/cmdop.v1.Files/WriteStream": ok(({ directory }) =>
    codec(Files.method.writeStream.input).serialize({
      header: { path: fresh(directory) },
      data: Buffer.from("x"),
      finish: { size: 1n, sha256: createHash("sha256").update("x").digest() },
    }),
  ),
  "/cmdop.v1.Files/Append": ok(({ directory }) =>
    codec(Files.method.append.input).serialize({ path: fresh(directory), content: Buffer.from("x") }),
  ),
  "/cmdop.v1.Files/Edit": {
    message: ({ directory }) =>
      codec(Files.method.edit.input).serialize({ path: fresh(directory), old: Buffer.from("x") }),
    answers: ["NotFound"],
  },
  "/cmdop.v1.Files/Partial": ok(({ directory }) =>
    codec(Files.method.partial.input).serialize({ path: fresh(directory), upload: Buffer.alloc(8, 7) }),
  ),
  "/cmdop.v1.Files/Symlink": ok(({ directory }) =>
    codec(Files.method.symlink.input).serialize({ path: fresh(directory), target: "elsewhere" }),
  ),
  "/cmdop.v1.Files/Delete": {
    message: ({ directory }) => codec(Files.method.delete.input).serialize({ path: fresh(directory) }),
    answers: ["NotFound"],
  },
  "/cmdop.v1.Files/Mkdir": ok(({ directory }) =>
    codec(Files.method.mkdir.input).serialize({ path: fresh(directory) }),
  ),
  "/cmdop.v1.Files/Copy": ok(({ directory }) =>
    codec(Files.method.copy.input).serialize({
      source: existing(directory),
      destination: fresh(directory),
    }),
  ),
  "/cmdop.v1.Files/Move": {
    message: ({ directory }) =>
      codec(Files.method.move.input).serialize({ source: fresh(directory), destination: fresh(directory) }),
    answers: ["NotFound"],
  },

  "/cmdop.v1.Machine/Info": ok(() => codec(Machine.method.info.input).serialize({})),
  "/cmdop.v1.Machine/Explain": ok(async ({ world }) =>
    codec(Machine.method.explain.input).serialize({
      grant: (await world.signedKey({})).grant,
      method: "/cmdop.v1.Exec/Start",
    }),
  ),
  "/cmdop.v1.Machine/AuditHead": ok(() =>
    codec(Machine.method.auditHead.input).serialize({ nonce: crypto.getRandomValues(Buffer.alloc(32)) }),
  ),

  "/cmdop.v1.Approvals/List": ok(() => codec(Approvals.method.list.input).serialize({})),
  "/cmdop.v1.Approvals/Answer": {
    message: () =>
      codec(Approvals.method.answer.input).serialize({ approvalId: crypto.randomUUID(), approve: false }),
    answers: ["NotFound"],
  },

  "/cmdop.relay.v1.Machines/List": ok(() => codec(Machines.method.list.input).serialize({})),
  "/cmdop.relay.v1.Machines/Put": ok(async ({ world, machine }) => {
    const record = { ...machine.identity, labels: { ...machine.identity.labels }, seq: 1 };
    return codec(Machines.method.put.input).serialize({
      record: await signMachineRecord(record, world.owner),
    });
  }),
  "/cmdop.relay.v1.Machines/Remove": {
    message: () => codec(Machines.method.remove.input).serialize({ machineId: nobody }),
    answers: ["Ok", "MachineUnknown"],
  },
  "/cmdop.relay.v1.Machines/Release": {
    message: () => codec(Machines.method.release.input).serialize({ machineId: nobody }),
    answers: ["Ok", "MachineUnknown"],
  },
  "/cmdop.relay.v1.Keys/WhoAmI": ok(() => codec(Keys.method.whoAmI.input).serialize({})),
  "/cmdop.relay.v1.Keys/Put": ok(async ({ world }) =>
    codec(Keys.method.put.input).serialize(await world.signedKey({})),
  ),
  "/cmdop.relay.v1.Keys/List": ok(() => codec(Keys.method.list.input).serialize({})),
  "/cmdop.relay.v1.Keys/Block": {
    message: () => codec(Keys.method.block.input).serialize({ keyId: generateKeyPair().id }),
    answers: ["Ok", "NotFound"],
  },
  "/cmdop.relay.v1.Roster/Get": ok(() => codec(Roster.method.get.input).serialize({})),
  "/cmdop.relay.v1.Roster/Put": ok(({ world }) =>
    codec(Roster.method.put.input).serialize({ roster: world.roster }),
  ),
  "/cmdop.relay.v1.Audit/Query": ok(() => codec(Audit.method.query.input).serialize({})),
  "/cmdop.relay.v1.Audit/Chains": ok(() => codec(Audit.method.chains.input).serialize({})),
  "/cmdop.relay.v1.Audit/Read": {
    message: () => codec(Audit.method.read.input).serialize({ chainId: crypto.randomUUID() }),
    answers: ["NotFound"],
  },
};

function ok(message: ValidRequest["message"]): ValidRequest {
  return { message, answers: ["Ok"] };
}

/** A request about a job that nobody has started. */
function unknownJob(message: (jobId: string) => Uint8Array): ValidRequest {
  return { message: () => message(crypto.randomUUID()), answers: ["JobUnknown"] };
}
