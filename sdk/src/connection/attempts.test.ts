import { CmdopError } from "@cmdop/proto";
import { describe, expect, it } from "vitest";
import { Files } from "../files/files.ts";
import { Terminal } from "../terminal/terminal.ts";
import { cut, scriptedMachine } from "../testing/scripted-machine.ts";
import { MachineCaller } from "./caller.ts";

/** The first attempt is carried out and its answer lost; the others find what `then` throws. */
function lostThen(then: () => CmdopError) {
  let attempts = 0;
  return async (): Promise<never> => {
    attempts += 1;
    throw attempts === 1 ? cut() : then();
  };
}

const offline = () => new CmdopError("MachineOffline", "The machine is not connected to this relay.");

/** A machine that goes away when it has carried out the first attempt of anything. */
async function leavingMachine(then: () => CmdopError = offline) {
  const lost = lostThen(then);
  const machine = await scriptedMachine(
    { create: lost, resize: lost, signal: lost, cancel: lost, list: lost, screen: lost },
    { write: lost, delete: lost, info: lost },
  );
  const terminal = new Terminal(machine.caller);
  return Object.assign(machine, { terminal, files: new Files(machine.caller) });
}

const ID = "3f0c1f52-9d5b-4b57-8f0e-0d2c7a1f4b11";

describe("promise 1: a retry that finds the machine offline does not hide that the first attempt may have run", () => {
  it.each<[string, (machine: { terminal: Terminal; files: Files }) => Promise<unknown>]>([
    ["write", ({ files }) => files.write("/f", "x")],
    ["delete", ({ files }) => files.delete("/f")],
    ["resize", ({ terminal }) => terminal.resize(ID, 10, 10)],
    ["signal", ({ terminal }) => terminal.sendSignal(ID, "SIGINT")],
    ["cancel", ({ terminal }) => terminal.cancel(ID)],
    ["create", ({ terminal }) => terminal.create({ sessionId: ID })],
  ])("%s is OutcomeUnknown, and says why", async (_method, call) => {
    await using machine = await leavingMachine();
    await expect(call(machine)).rejects.toMatchObject({
      code: "OutcomeUnknown",
      message: expect.stringContaining("The line was cut."),
    });
  });

  it("a session whose creator never heard of it is found by the id that the SDK made", async () => {
    await using machine = await leavingMachine();
    const thrown: unknown = await machine.terminal.create().catch((error: unknown) => error);
    if (!(thrown instanceof CmdopError)) throw new TypeError("no CmdopError");
    expect(thrown).toMatchObject({ code: "OutcomeUnknown", jobId: expect.stringMatching(/^[0-9a-f-]{36}$/) });
    expect(thrown.message).toContain(thrown.jobId);
    expect(machine.terminal.session(String(thrown.jobId)).sessionId).toBe(thrown.jobId);
  });

  it("what the second attempt is refused for says nothing of the first", async () => {
    await using machine = await leavingMachine(() => new CmdopError("KeyRevoked", "No."));
    await expect(machine.files.write("/f", "x")).rejects.toMatchObject({
      code: "OutcomeUnknown",
      message: expect.stringContaining("No."),
    });
  });

  it("a session that was refused for its id was never started", async () => {
    await using machine = await leavingMachine(() => new CmdopError("JobConflict", "No."));
    await expect(machine.terminal.create({ sessionId: ID })).rejects.toMatchObject({ code: "JobConflict" });
  });

  it.each<[string, (machine: { terminal: Terminal; files: Files }) => Promise<unknown>]>([
    ["the list of jobs", ({ terminal }) => terminal.jobs()],
    ["a screen", ({ terminal }) => terminal.screen(ID)],
    ["a file's info", ({ files }) => files.info("/f")],
  ])("%s changes nothing, so it fails as the last attempt did", async (_what, call) => {
    await using machine = await leavingMachine();
    await expect(call(machine)).rejects.toMatchObject({ code: "MachineOffline" });
  });
});

describe("a call that was refused, so that nothing has run", () => {
  const WHO = "/cmdop.relay.v1.Keys/WhoAmI";

  /** Calls a method that is refused with these in turn before it is answered. */
  async function callRefused(path: string, codes: readonly ConstructorParameters<typeof CmdopError>[0][]) {
    await using machine = await scriptedMachine({});
    const { transport } = machine;
    let renewals = 0;
    const caller = new MachineCaller(
      {
        ...transport,
        renewTokens: () => {
          renewals += 1;
        },
      },
      async () => null,
    );
    const refusals = codes.values();
    const answer = await caller
      .invoke(path, async () => {
        const { value, done } = refusals.next();
        if (done !== true) throw new CmdopError(value, "Refused.");
        return "answered";
      })
      .catch((thrown: unknown) => CmdopError.from(thrown).code);
    return { answer, renewals };
  }

  it("waits where its key has too many calls open at the relay", async () => {
    expect((await callRefused(WHO, ["LimitExceeded", "LimitExceeded"])).answer).toBe("answered");
  });

  it("does not wait at a machine, whose limits may last", async () => {
    expect((await callRefused("/cmdop.v1.Files/List", ["LimitExceeded"])).answer).toBe("LimitExceeded");
  });

  it("is sent once more with a new token where that was too old, even what may never run twice", async () => {
    const edit = "/cmdop.v1.Files/Edit";
    expect(await callRefused(edit, ["TokenExpired"])).toEqual({ answer: "answered", renewals: 1 });
    expect(await callRefused(edit, ["TokenExpired", "TokenExpired"])).toEqual({
      answer: "TokenExpired",
      renewals: 1,
    });
  });
});
