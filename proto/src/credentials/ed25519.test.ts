import { expect, test } from "vitest";
import { generateKeyPair } from "./ed25519.ts";

test("no id begins with a dash: a command would take it for an option", () => {
  const ids = Array.from({ length: 1_500 }, () => generateKeyPair().id);
  expect(ids.filter((id) => id.startsWith("-"))).toEqual([]);
});
