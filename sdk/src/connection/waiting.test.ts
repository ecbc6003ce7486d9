import { expect, it } from "vitest";
import { waitingListener } from "./waiting.ts";

const ID = "3f0c1f52-9d5b-4b57-8f0e-0d2c7a1f4b11";

it.each([
  [`${ID} 1790000000000`, [{ approvalId: ID, expiresAtMs: 1_790_000_000_000 }]],
  [undefined, []],
  ["", []],
  [`${ID}`, []],
  [`${ID} soon`, []],
  [`\u001b[2J ${ID} 1`, []],
])("the header %j tells of %j", (value, told) => {
  const heard: unknown[] = [];
  waitingListener((waiting) => heard.push(waiting))?.((name) =>
    name === "x-cmdop-waiting" ? value : undefined,
  );
  expect(heard).toEqual(told);
});
