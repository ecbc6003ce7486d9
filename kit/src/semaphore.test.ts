import { getEventListeners } from "node:events";
import { describe, expect, it } from "vitest";
import { Semaphore } from "./semaphore.ts";
import { pause } from "./wait.ts";

describe("Semaphore", () => {
  it("lets so many in, and the others in the order in which they came", async () => {
    const semaphore = new Semaphore(2);
    const order: number[] = [];
    let atOnce = 0;
    let most = 0;
    const work = async (piece: number): Promise<void> => {
      using _ = await semaphore.enter();
      order.push(piece);
      atOnce += 1;
      most = Math.max(most, atOnce);
      await pause(1);
      atOnce -= 1;
    };
    await Promise.all([0, 1, 2, 3, 4, 5].map(work));
    expect(order).toEqual([0, 1, 2, 3, 4, 5]);
    expect(most).toBe(2);
    expect(semaphore.isFree).toBe(true);
  });

  it("counts a place that is given back twice once", async () => {
    const semaphore = new Semaphore(1);
    const first = await semaphore.enter();
    const second = semaphore.enter();
    first[Symbol.dispose]();
    const place = await second;
    first[Symbol.dispose]();
    expect(semaphore.isFree).toBe(false);
    place[Symbol.dispose]();
    expect(semaphore.isFree).toBe(true);
  });

  it("forgets whoever gave up waiting", async () => {
    const semaphore = new Semaphore(1);
    const held = await semaphore.enter();
    const controller = new AbortController();
    const waiting = semaphore.enter(controller.signal);
    controller.abort(new Error("enough"));
    await expect(waiting).rejects.toThrow("enough");
    await expect(semaphore.enter(AbortSignal.abort(new Error("before")))).rejects.toThrow("before");
    held[Symbol.dispose]();
    expect(semaphore.isFree).toBe(true);
    expect(getEventListeners(controller.signal, "abort")).toHaveLength(0);
  });

  it("lets more in when it is widened, and nobody new while it is narrower than what goes on", async () => {
    const semaphore = new Semaphore(1);
    const held = [await semaphore.enter()];
    const waiting = [semaphore.enter(), semaphore.enter()];
    semaphore.width = 3;
    held.push(...(await Promise.all(waiting)));
    semaphore.width = 1;
    held.pop()?.[Symbol.dispose]();
    held.pop()?.[Symbol.dispose]();
    expect(semaphore.isFree).toBe(false);
    held.pop()?.[Symbol.dispose]();
    expect(semaphore.isFree).toBe(true);
  });
});
