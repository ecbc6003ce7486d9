import { describe, expect, it } from "vitest";
import { LargeAnswers } from "./large-answers.ts";

const READ = "/cmdop.v1.Files/Read";
/** Answers that the first key may have under way. */
const PLACES = 16;

async function fill(answers: LargeAnswers, key: string): Promise<AbortController[]> {
  const calls = Array.from({ length: PLACES }, () => new AbortController());
  for (const call of calls) await answers.enter(key, READ, call.signal);
  return calls;
}

async function isPending(promise: Promise<void>): Promise<boolean> {
  const state = await Promise.race([
    promise.then(() => "entered"),
    new Promise((resolve) => setImmediate(resolve, "pending")),
  ]);
  return state === "pending";
}

describe("promise 9: large answers under way are shared among keys", () => {
  it("a call beyond the bound waits for its own key's, in order; other keys and methods don't", async () => {
    const answers = new LargeAnswers();
    const calls = await fill(answers, "greedy");
    const waiting = [1, 2].map(() => answers.enter("greedy", READ, new AbortController().signal));
    expect(await Promise.all(waiting.map(isPending))).toEqual([true, true]);
    await answers.enter("other", READ, new AbortController().signal);
    await answers.enter("greedy", "/cmdop.v1.Files/Info", new AbortController().signal);
    calls[0]?.abort();
    await waiting[0];
    expect(await isPending(waiting[1] ?? Promise.resolve())).toBe(true);
    calls[1]?.abort();
    await waiting[1];
  });

  it("a waiting call that ends gives up its turn, and nobody's place is lost", async () => {
    const answers = new LargeAnswers();
    const calls = await fill(answers, "greedy");
    const impatient = new AbortController();
    const abandoned = answers.enter("greedy", READ, impatient.signal);
    const patient = answers.enter("greedy", READ, new AbortController().signal);
    impatient.abort();
    await expect(abandoned).rejects.toMatchObject({ code: "Canceled" });
    calls[0]?.abort();
    await patient;
  });

  it("a call that is over already takes no place, and a key that is done is forgotten", async () => {
    const answers = new LargeAnswers();
    await expect(answers.enter("k", READ, AbortSignal.abort())).rejects.toMatchObject({ code: "Canceled" });
    const calls = await fill(answers, "k");
    expect(answers.keys).toBe(1);
    for (const call of calls) call.abort();
    expect(answers.keys).toBe(0);
  });
});
