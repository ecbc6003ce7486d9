import { randomUUID } from "node:crypto";
import { CmdopError } from "@cmdop/proto";
import { describe, expect, it } from "vitest";
import {
  APPROVAL_LIMITS,
  type ApprovalEvent,
  Approvals,
  type ApprovalsOptions,
  type Question,
} from "./approvals.ts";

const ASKER = { keyId: "asker", keyName: "ci" };
const PERSON = { keyId: "person", keyName: "ann" };

/** Opens approvals, and returns them with the list of their events. */
function open(options: ApprovalsOptions = {}) {
  const events: ApprovalEvent[] = [];
  const approvals = new Approvals({ onEvent: (event) => events.push(event), ...options });
  return { approvals, states: () => events.map(({ state }) => state), events };
}

function question(more: Partial<Question> = {}): Question {
  return {
    asker: ASKER,
    call: randomUUID(),
    method: "/cmdop.v1.Exec/Start",
    requestHash: "h",
    what: "shell 'rm -rf /'",
    timeoutMs: 60_000,
    signal: new AbortController().signal,
    ...more,
  };
}

function onlyId(approvals: Approvals): string {
  const [first, ...others] = approvals.list();
  expect(others).toEqual([]);
  return first?.id ?? "";
}

const yes = (approvalId: string, requestHash = "h") => ({
  approvalId,
  requestHash,
  approve: true,
  reason: "",
});
const no = (approvalId: string, reason = "") => ({ approvalId, requestHash: "", approve: false, reason });

describe("a call that waits for a person", () => {
  it("is seen with what will run, who asks and until when, and runs after a yes", async () => {
    const { approvals, events } = open();
    const asked = question();
    const seen: string[] = [];
    const waits = approvals.wait({ ...asked, onWaiting: ({ id }) => seen.push(id) });
    const [shown] = approvals.list();
    expect(shown).toMatchObject({ asker: ASKER, method: asked.method, what: asked.what });
    expect((shown?.expiresAtMs ?? 0) - (shown?.askedAtMs ?? 0)).toBe(60_000);
    const id = onlyId(approvals);
    expect(seen).toEqual([id]);
    approvals.answer(PERSON, yes(id));
    await waits;
    expect(approvals.list()).toEqual([]);
    expect(events).toEqual([
      { approval: id, call: asked.call, hash: "h", state: "asked" },
      { approval: id, call: asked.call, hash: "h", state: "approved", by: "person", byName: "ann" },
    ]);
  });

  it("ends with ApprovalRefused after a no, and with the reason made visible", async () => {
    const { approvals, states } = open();
    const waits = approvals.wait(question());
    approvals.answer(PERSON, no(onlyId(approvals), "not\u001b[2J now"));
    await expect(waits).rejects.toMatchObject({
      code: "ApprovalRefused",
      message: expect.stringContaining("ann said no: not\\u{1b}[2J now."),
    });
    expect(states()).toEqual(["asked", "refused"]);
  });

  it("ends with ApprovalRefused where nobody answers", async () => {
    const { approvals, states } = open();
    await expect(approvals.wait(question({ timeoutMs: 5 }))).rejects.toMatchObject({
      code: "ApprovalRefused",
    });
    expect(states()).toEqual(["asked", "expired"]);
    expect(approvals.list()).toEqual([]);
  });

  it("is withdrawn when its caller is gone, and with the reason where its right has ended", async () => {
    const { approvals, states } = open();
    const gone = new AbortController();
    const waits = approvals.wait(question({ signal: gone.signal }));
    const id = onlyId(approvals);
    gone.abort();
    await expect(waits).rejects.toMatchObject({ code: "Canceled" });
    const revoked = new AbortController();
    const second = approvals.wait(question({ signal: revoked.signal }));
    revoked.abort(new CmdopError("KeyRevoked", "The owner has revoked this key."));
    await expect(second).rejects.toMatchObject({ code: "KeyRevoked" });
    await expect(approvals.wait(question({ signal: revoked.signal }))).rejects.toMatchObject({
      code: "KeyRevoked",
    });
    expect(states()).toEqual(["asked", "withdrawn", "asked", "withdrawn"]);
    expect(() => approvals.answer(PERSON, yes(id))).toThrow(/No call waits/);
  });

  it("is not answered by its own key, and takes one answer only", async () => {
    const { approvals } = open();
    const waits = approvals.wait(question());
    const id = onlyId(approvals);
    expect(() => approvals.answer(ASKER, yes(id))).toThrow(/can't answer for a call of its own/);
    approvals.answer(PERSON, yes(id));
    expect(() => approvals.answer(PERSON, no(id))).toThrow(/No call waits/);
    await waits;
  });

  it("is approved as it is, not what else its key asks for", async () => {
    const { approvals } = open();
    const first = approvals.wait(question({ requestHash: "a" }));
    const other = approvals.wait(question({ requestHash: "b", timeoutMs: 200 }));
    const sameOfAnother = approvals.wait(question({ requestHash: "a", asker: PERSON, timeoutMs: 200 }));
    const sameOfAnotherMethod = approvals.wait(question({ requestHash: "a", method: "/x", timeoutMs: 200 }));
    const [asked] = approvals.list();
    approvals.answer(PERSON, yes(asked?.id ?? "", "a"));
    await first;
    for (const waits of [other, sameOfAnother, sameOfAnotherMethod])
      await expect(waits).rejects.toMatchObject({ code: "ApprovalRefused" });
  });

  it("promise 5: is approved by a yes that names its hash, and by no other", async () => {
    const { approvals, states } = open();
    const waits = approvals.wait(question({ requestHash: "a" }));
    const id = onlyId(approvals);
    for (const hash of ["", "b", "a ", "A"])
      expect(() => approvals.answer(PERSON, yes(id, hash))).toThrow(
        expect.objectContaining({ code: "ApprovalRefused" }),
      );
    expect(approvals.list()).toMatchObject([{ id, requestHash: "a" }]);
    approvals.answer(PERSON, yes(id, "a"));
    await waits;
    expect(states()).toEqual(["asked", "approved"]);
  });

  it("is asked once for all retries that wait, and withdrawn with the last of them", async () => {
    const { approvals, events } = open();
    const lost = new AbortController();
    const [asked, again] = [question({ signal: lost.signal }), question()];
    const first = approvals.wait(asked);
    const retry = approvals.wait(again);
    const id = onlyId(approvals);
    lost.abort();
    await expect(first).rejects.toMatchObject({ code: "Canceled" });
    expect(onlyId(approvals)).toBe(id);
    approvals.answer(PERSON, yes(id));
    await retry;
    // The audit names the call that runs, too, and not only the one that was lost.
    expect(events).toMatchObject([
      { approval: id, call: asked.call, state: "asked" },
      { approval: id, call: again.call, state: "asked" },
      { approval: id, state: "approved" },
    ]);
  });

  it("promise 9: waits within named bounds, and is whole or refused", async () => {
    const { approvals, states } = open({ limits: { maxWaiting: 3, maxCallers: 2 } });
    const waits = ["a", "b"].map((requestHash) => approvals.wait(question({ requestHash })));
    await expect(approvals.wait(question({ requestHash: "c" }))).rejects.toMatchObject({
      code: "LimitExceeded",
    });
    waits.push(approvals.wait(question({ requestHash: "a" })));
    await expect(approvals.wait(question({ requestHash: "a" }))).rejects.toMatchObject({
      code: "LimitExceeded",
    });
    waits.push(approvals.wait(question({ requestHash: "a", asker: PERSON })));
    const third = { keyId: "third", keyName: "third" };
    await expect(approvals.wait(question({ asker: third }))).rejects.toMatchObject({ code: "LimitExceeded" });
    const what = "x".repeat(APPROVAL_LIMITS.maxTextBytes + 1);
    await expect(open().approvals.wait(question({ what }))).rejects.toMatchObject({
      code: "MessageTooLarge",
    });
    expect(states()).toEqual(["asked", "asked", "asked", "asked"]);
    approvals.close();
    for (const wait of waits) await expect(wait).rejects.toMatchObject({ code: "MachineOffline" });
  });

  it("promise 8: is neither asked nor answered where that can't be recorded", async () => {
    let broken: ApprovalEvent["state"] | undefined = "asked";
    const trouble: unknown[] = [];
    const approvals = new Approvals({
      onEvent: ({ state }) => {
        if (state === broken) throw new CmdopError("AuditUnavailable", "full");
      },
      onTrouble: (error) => trouble.push(error),
    });
    await expect(approvals.wait(question())).rejects.toMatchObject({ code: "AuditUnavailable" });
    expect(approvals.list()).toEqual([]);
    broken = "approved";
    const waits = approvals.wait(question());
    const id = onlyId(approvals);
    expect(() => approvals.answer(PERSON, yes(id))).toThrow("full");
    broken = "withdrawn";
    expect(onlyId(approvals)).toBe(id);
    approvals.close();
    await expect(waits).rejects.toMatchObject({ code: "MachineOffline" });
    expect(trouble).toHaveLength(1);
  });

  it.each([
    ["an id that is none", yes("x"), "InvalidArgument"],
    ["a reason that is a book", no(randomUUID(), "x".repeat(501)), "InvalidArgument"],
    ["a call that does not wait", yes(randomUUID()), "NotFound"],
  ])("%s is no answer", (_, answer, code) => {
    const { approvals } = open();
    expect(() => approvals.answer(PERSON, answer)).toThrow(expect.objectContaining({ code }));
  });
});
