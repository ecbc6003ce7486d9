import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { expect, it, onTestFinished, vi } from "vitest";
import { rememberedRelay, rememberFirst } from "./relay.ts";

it("a relay that one command named became the home's, and half of the commands showed other machines", async () => {
  const home = await mkdtemp(path.join(os.tmpdir(), "cmdop-relay-"));
  vi.stubEnv("CMDOP_HOME", home);
  const said = vi.spyOn(process.stderr, "write").mockReturnValue(true);
  onTestFinished(async () => {
    said.mockRestore();
    vi.unstubAllEnvs();
    await rm(home, { recursive: true });
  });
  const [mine, other] = ["A".repeat(43), `${"B".repeat(42)}A`];
  await rememberFirst({ id: mine, address: "one.example:1" });
  // It may move.
  await rememberFirst({ id: mine, address: "two.example:2" });
  expect(said).not.toHaveBeenCalled();
  await rememberFirst({ id: other, address: "three.example:3" });
  expect(await rememberedRelay()).toBe(`${mine}@two.example:2`);
  expect(said).toHaveBeenCalledWith(expect.stringContaining(`cmdop owner relay ${other}@three.example:3`));
});
