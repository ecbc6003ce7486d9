import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { expect, it } from "vitest";
import { openLocalDoor } from "./local-door.ts";

it("promise 9: a caller that stays can't keep the door from closing", async () => {
  const directory = await mkdtemp(path.join(os.tmpdir(), "cmdop-door-"));
  try {
    const door = await openLocalDoor(directory, () => undefined);
    const caller = net.connect(door.socketPath).on("error", () => undefined);
    await once(caller, "connect");
    await door.close();
    // It reads nothing: until then it has not even noticed.
    expect(caller.destroyed).toBe(false);
    caller.destroy();
  } finally {
    await rm(directory, { recursive: true });
  }
});
