import { expect, test } from "vitest";
import { OutputBudget } from "./output-budget.ts";

test("promise 9: thousands of small outputs are not freed in one go", () => {
  let outputs = 1_000;
  const budget = new OutputBudget(1_000, (keyId) => {
    if (outputs === 0) return false;
    outputs -= 1;
    budget.account(keyId).count(-1);
    return true;
  });
  const account = budget.account("key");
  for (let job = 0; job < 1_000; job += 1) account.count(1);
  account.count(500);
  expect(outputs).toBe(984);
  while (budget.usedBytes > 1_000) account.count(1);
  expect(budget.usedBytes).toBeGreaterThan(980);
});
