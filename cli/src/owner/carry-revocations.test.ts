import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { generateKeyPair } from "@cmdop/proto";
import { Relay } from "@cmdop/relay";
import { expect, it, onTestFinished, vi } from "vitest";
import { carryRevocations } from "./carry-revocations.ts";
import { clientOf } from "./owner.ts";

it("promise 5: a key that was revoked at a machine's former relay is revoked at the one that it moves to", async () => {
  const home = await mkdtemp(path.join(os.tmpdir(), "cmdop-carry-"));
  vi.stubEnv("CMDOP_HOME", home);
  const key = generateKeyPair();
  const owner = { key, publicKeys: [key.publicKey] };
  const relays = ["former", "next"].map(
    (name) => new Relay({ stateDir: path.join(home, name), ownerPublicKey: key.publicKey }),
  );
  onTestFinished(async () => {
    for (const relay of relays) await relay.shutdown();
    vi.unstubAllEnvs();
    await rm(home, { recursive: true });
  });
  const [former, next] = await Promise.all(
    relays.map(async (relay) => {
      await relay.listen();
      return { id: relay.id, address: relay.address };
    }),
  );
  if (former === undefined || next === undefined) throw new TypeError("two relays");
  await using before = await clientOf(owner, former);
  const { keyId } = await before.keys.create({ name: "lost", scopes: ["terminal"], machines: ["*"] });
  await before.keys.revoke(keyId);
  await using after = await clientOf(owner, next);
  expect((await after.roster.get()).revoked).not.toContain(keyId);
  await carryRevocations(after, former.id);
  expect((await after.roster.get()).revoked).toEqual([keyId]);
  // Once is enough.
  const { seq } = await after.roster.get();
  await carryRevocations(after, former.id);
  expect((await after.roster.get()).seq).toBe(seq);
});
