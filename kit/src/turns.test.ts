import { expect, it } from "vitest";
import { Turns } from "./turns.ts";
import { pause } from "./wait.ts";

it("takes turns on the same key, and none on others", async () => {
  const turns = new Turns<string>();
  const seen: string[] = [];
  const work = (key: string, piece: number) => async (): Promise<void> => {
    seen.push(`${key}${piece} begins`);
    await pause(1);
    seen.push(`${key}${piece} ends`);
  };
  await Promise.all([
    turns.take("a", work("a", 1)),
    turns.take("a", work("a", 2)),
    turns.take("b", work("b", 1)),
  ]);
  expect(seen.filter((step) => step.startsWith("a"))).toEqual([
    "a1 begins",
    "a1 ends",
    "a2 begins",
    "a2 ends",
  ]);
  expect(seen.indexOf("b1 begins")).toBeLessThan(seen.indexOf("a1 ends"));
});

it("goes on behind work that failed", async () => {
  const turns = new Turns<string>();
  const failing = turns.take("a", () => Promise.reject(new Error("no")));
  const next = turns.take("a", async () => "done");
  await expect(failing).rejects.toThrow("no");
  expect(await next).toBe("done");
});
