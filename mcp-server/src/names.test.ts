import { expect, test } from "vitest";
import { dotted, findByName, unknownNameMessage } from "./names.ts";
import { TOOLS } from "./tools.ts";

const byName = new Map(TOOLS.map((tool) => [tool.name, tool]));
const names = [...byName.keys()];

test.each(TOOLS)("$name answers to its dotted name, which is its title", ({ name, title }) => {
  expect(findByName(byName, dotted(name))?.name).toBe(name);
  expect(findByName(byName, name)?.name).toBe(name);
  expect(title).toBe(dotted(name));
});

test.each(TOOLS)("$name is a name that every client takes", ({ name }) => {
  expect(name).toMatch(/^[a-z][a-z0-9]*(_[a-z0-9]+)+$/);
  expect(name.length).toBeLessThanOrEqual(64);
});

test.each([
  ["terminal_exec", "terminal_execute"],
  ["file_read", "files_read"],
  ["execute", "terminal_execute"],
  ["Files-Delete", "files_delete"],
  ["machine_list", "machines_list"],
])("%s brings up %s", (given, meant) => {
  expect(unknownNameMessage(given, names)).toMatch(new RegExp(`Close to it: .*\\b${meant}\\b`));
});

test("a name that is like none brings up all, and a huge one is quoted in part", () => {
  const message = unknownNameMessage("§".repeat(1_000_000), names);
  expect(message).toContain(names.join(", "));
  expect(message.length).toBeLessThan(1000);
});
