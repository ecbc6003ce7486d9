import { expect, it } from "vitest";
import { KnownMachines } from "./known-machines.ts";

function machine(id: string, name: string) {
  return { id, name, labels: {}, publicKey: "", record: "", recordSeq: 0, lastSeenMs: 0, agentVersion: "" };
}

it("lists machines sorted by name, as they are now, whatever has come, gone, or been renamed", () => {
  const known = new KnownMachines();
  const names = () => known.all().map(({ id, name }) => `${name} ${id}`);
  for (const [id, name] of [
    ["2", "web"],
    ["1", "web"],
    ["3", "db"],
  ] as const)
    known.keep(machine(id, name));
  expect(names()).toEqual(["db 3", "web 1", "web 2"]);
  known.keep({ ...machine("1", "web"), lastSeenMs: 7 });
  expect(known.all()[1]).toMatchObject({ id: "1", lastSeenMs: 7 });
  known.keep(machine("2", "app"));
  known.forget("3");
  expect(names()).toEqual(["app 2", "web 1"]);
  known.keep(machine("4", "cache"));
  expect(names()).toEqual(["app 2", "cache 4", "web 1"]);
});
