import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { generateKeyPair } from "./ed25519.ts";
import { machineSelectorSchema, selects } from "./selectors.ts";

const machine = { id: generateKeyPair().id, name: "web-1", labels: { team: "payments", env: "prod" } };

describe("selects", () => {
  it.each([
    ["its id", { id: machine.id }, true],
    ["another id", { id: generateKeyPair().id }, false],
    ["its name", { name: "web-1" }, true],
    ["a prefix without a star", { name: "web" }, false],
    ["a star", { name: "*" }, true],
    ["web-*", { name: "web-*" }, true],
    ["*-1", { name: "*-1" }, true],
    ["w*b*1", { name: "w*b*1" }, true],
    ["head and tail that overlap", { name: "web-*-1" }, false],
    ["one of its labels", { labels: { team: "payments" } }, true],
    ["all of its labels", { labels: { team: "payments", env: "prod" } }, true],
    ["a label with another value", { labels: { team: "payments", env: "test" } }, false],
    ["a label that it lacks", { labels: { zone: "a" } }, false],
    ["a name that every object has", { labels: { constructor: "x" } }, false],
  ])("%s", (_title, selector, expected) => {
    expect(selects([selector], machine)).toBe(expected);
    expect(selects([{ name: "nobody" }, selector], machine)).toBe(expected);
  });

  it("no selector selects nothing", () => {
    expect(selects([], machine)).toBe(false);
  });

  it("a glob matches what a regular expression would (fuzz)", () => {
    // Few letters, so that matches and near misses are common.
    const glob = fc.string({ unit: fc.constantFrom("a", "b", ".", "*"), maxLength: 12 });
    const name = fc.string({ unit: fc.constantFrom("a", "b", "."), maxLength: 12 });
    fc.assert(
      fc.property(glob, name, (pattern, text) => {
        const model = new RegExp(`^${pattern.replaceAll(".", "\\.").replaceAll("*", ".*")}$`);
        expect(selects([{ name: pattern }], { ...machine, name: text })).toBe(model.test(text));
      }),
      { numRuns: 5_000 },
    );
  });
});

describe("machineSelectorSchema", () => {
  it.each([
    {},
    { id: "short" },
    { name: "" },
    { name: "a b" },
    { labels: {} },
    { name: "a", id: machine.id },
  ])("refuses %j", (selector) => {
    expect(machineSelectorSchema.safeParse(selector).success).toBe(false);
  });
});
