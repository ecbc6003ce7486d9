/**
 * The files process: a child of the agent that does all work on files for it, as
 * the user that the policy names. A disk that does not answer keeps threads of
 * this process, which can be killed, and never one of the agent's.
 *
 * Descriptor 3 is the pipe to the agent. It ends with the agent, however that
 * came about, and leaves in the middle what is in the middle.
 */
import { flushCompileCache } from "node:module";
import { Socket } from "node:net";
import { CmdopError, collectYoungBuffers } from "@cmdop/proto";
import type { Boundary } from "../files/place/boundary.ts";
import { PARTIALS_SWEEP_MS } from "../files/place/limits.ts";
import { systemPinning } from "../files/place/pin.ts";
import { cleanUp, sweepUploads } from "../files/tree/clean-up.ts";
import { Unfinished } from "../files/unfinished/unfinished.ts";
import { filesHandlers } from "../services/files.ts";
import { becomeUser } from "./become-user.ts";
import { DiskOperations } from "./disk-operations.ts";
import { FRAME, FrameReader } from "./frames.ts";
import { Host } from "./host.ts";
import { Pipe, readingInto } from "./pipe.ts";
import { Stalls } from "./stalls.ts";
import { type Hello, type Order, type Report, readOpening, readOrder, reportBytes } from "./told.ts";
import { ToldNotes } from "./told-notes.ts";

/** The agent's pipe. */
const PIPE_DESCRIPTOR = 3;

/** Whose share of the threads finishing and cleaning up takes: nobody's key has this id. */
const CLEANING = "cleaning";

/** What works when the agent has said how. */
interface Working {
  readonly host: Host;
  readonly stalls: Stalls;
  readonly notes: ToldNotes;
}

/** Sent to the whole service when it stops: the agent says when we are not needed any more. */
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => undefined);
collectYoungBuffers();

const disk = new DiskOperations();
let working: Working | undefined;

const reader = new FrameReader({
  room: (call, bytes) => working?.host.room(call, bytes) ?? Buffer.allocUnsafe(bytes),
  take: (kind, call, payload) => {
    if (kind === FRAME.told) return obey(readOrder(payload));
    if (working === undefined) throw new TypeError("a call before the greeting");
    if (kind === FRAME.open) working.host.open(call, readOpening(payload));
    else working.host.take(kind, call, payload);
  },
});

// Whatever the agent sends that makes no sense, only another process may go on.
const socket = new Socket({ fd: PIPE_DESCRIPTOR, onread: readingInto(reader, fail) });
const pipe = new Pipe(socket);
// Not exit: that would wait for the threads, and one may hang for good.
pipe.closed.then(() => process.kill(process.pid, "SIGKILL"));

function obey(order: Order): void {
  if (order.kind === "hello") void greet(order).catch(fail);
  else if (order.kind === "ping") tell({ kind: "pong" });
  else if (order.kind === "noted") working?.notes.noted(order.id, order.failure);
  else working?.stalls.predecessorGone();
}

async function greet({ user, everywhere, begun, stalled, hasPredecessor }: Hello): Promise<void> {
  await disk.install();
  if (user !== undefined) becomeUser(user);
  const notes = new ToldNotes(begun, tell);
  const unfinished = new Unfinished(notes);
  const stalls = new Stalls(
    disk,
    { stalled, hasPredecessor },
    {
      onChange: (mounts) => tell({ kind: "stalled", mounts }),
      onTooMany: (reason) => tell({ kind: "replace", reason }),
    },
  );
  const boundary = { ...everywhere, pinning: systemPinning };
  const finished = disk.run({ key: CLEANING }, () => unfinished.finish(boundary, onTrouble));
  const host = new Host({
    pipe,
    // What a crash has left half written is nothing to work on.
    finished,
    handlers: filesHandlers(),
    disk,
    unfinished,
    refuse: (path) => stalls.refuse(path),
  });
  working = { host, stalls, notes };
  tell({ kind: "ready" });
  flushCompileCache();
  await finished;
  keepClean(unfinished, boundary);
}

function onTrouble(what: string, thrown: unknown): void {
  tell({ kind: "trouble", what, message: CmdopError.from(thrown).message });
}

/** Removes what earlier processes have left, now and whenever uploads are looked for that nobody resumes. */
function keepClean(unfinished: Unfinished, everywhere: Boundary): void {
  const { left } = unfinished;
  const clean = async (): Promise<void> => {
    await cleanUp(unfinished, everywhere, left, onTrouble);
    await sweepUploads(unfinished, everywhere, onTrouble);
  };
  const cleanNow = (): void => void disk.run({ key: CLEANING }, clean);
  cleanNow();
  setInterval(cleanNow, PARTIALS_SWEEP_MS);
}

function tell(report: Report): void {
  void pipe.send(FRAME.told, 0, [reportBytes(report)]);
}

function fail(thrown: unknown): void {
  const reason = thrown instanceof Error ? thrown.message : String(thrown);
  void pipe.send(FRAME.told, 0, [reportBytes({ kind: "useless", reason })]).then(() => pipe.close());
}
