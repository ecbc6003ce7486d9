import { describe, expect, it } from "vitest";
import { batched } from "./batched.ts";

async function all<T>(batches: AsyncIterable<T[]>): Promise<T[][]> {
  const list: T[][] = [];
  for await (const batch of batches) list.push(batch);
  return list;
}

describe("batched", () => {
  it("gives everything, in order, in batches of bounded size", async () => {
    const source = async function* () {
      for (let item = 0; item < 1_000; item++) yield item;
    };
    const batches = await all(batched(source(), () => 10_000));
    expect(batches.flat()).toEqual(Array.from({ length: 1_000 }, (_, index) => index));
    expect(Math.max(...batches.map((batch) => batch.length))).toBeLessThanOrEqual(14);
  });

  it("does not let an item wait for one that never comes", async () => {
    const never = Promise.withResolvers<undefined>();
    const source = async function* () {
      yield "found";
      await never.promise;
    };
    const batches = batched(source(), () => 1);
    expect((await batches.next()).value).toEqual(["found"]);
    never.resolve(undefined);
    expect((await batches.next()).done).toBe(true);
  });

  it("gives what came before a failure, then fails", async () => {
    const source = async function* () {
      yield 1;
      throw new Error("broken");
    };
    const batches = batched(source(), () => 1);
    expect((await batches.next()).value).toEqual([1]);
    await expect(batches.next()).rejects.toThrow("broken");
  });

  it("lets go of its source when its reader leaves", async () => {
    let left = false;
    const source = async function* () {
      try {
        for (;;) yield 1;
      } finally {
        left = true;
      }
    };
    for await (const _ of batched(source(), () => 1_000_000)) break;
    expect(left).toBe(true);
  });
});
