import { afterEach, expect, test, vi } from "vitest";
import { MACHINE_NAME_WAIT_MS } from "./limits.ts";
import { nameMachines } from "./machine-argument.ts";
import { scriptedClient } from "./testing/scripted-client.ts";

afterEach(() => vi.useRealTimers());

type WhoAmI = ReturnType<typeof scriptedClient>["whoAmI"];

const naming = (whoAmI: WhoAmI, ownMachine?: string, report: (error: unknown) => void = () => undefined) =>
  nameMachines({ ...scriptedClient(), whoAmI }, ownMachine, report);

test("a machine is called as the call named it, or as the server was told", async () => {
  const nameMachine = naming(() => Promise.reject(new Error("not asked")), "own");
  expect(await nameMachine("web-9")).toBe("web-9");
  expect(await nameMachine(undefined)).toBe("own");
});

test("the only machine of a key is asked for once", async () => {
  const whoAmI = vi.fn(async () => ({ machines: [{ name: "only" }] }));
  const nameMachine = naming(whoAmI);
  expect([await nameMachine(undefined), await nameMachine(undefined)]).toEqual(["only", "only"]);
  expect(whoAmI).toHaveBeenCalledTimes(1);
});

test("a name that can't be had is null: it fails no call", async () => {
  const report = vi.fn();
  const nameMachine = naming(() => Promise.reject(new Error("no relay")), undefined, report);
  expect([await nameMachine(undefined), await nameMachine(undefined)]).toEqual([null, null]);
  expect(report).toHaveBeenCalledTimes(1);
  expect(await naming(async () => ({ machines: [{ name: "a" }, { name: "b" }] }))(undefined)).toBeNull();
});

test("a name that does not come holds no answer up", async () => {
  vi.useFakeTimers();
  const named = naming(() => new Promise(() => undefined))(undefined);
  await vi.advanceTimersByTimeAsync(MACHINE_NAME_WAIT_MS);
  expect(await named).toBeNull();
});
