import { chainNext, chainStart, generateKeyPair, signHead } from "@cmdop/proto";
import { expect, it } from "vitest";
import { checkBatch } from "./check-batch.ts";

const machine = generateKeyPair();
const chain = crypto.randomUUID();

/** Makes a batch of `count` empty records, correctly signed. */
async function batch(count: number) {
  const records = Array.from({ length: count }, () => new Uint8Array());
  let hash = chainStart(chain);
  for (const body of records) hash = chainNext(hash, body);
  const claims = { machine: machine.id, chain, seq: count, hash: Buffer.from(hash).toString("base64url") };
  const head = await signHead({ ...claims, at: Date.now() }, machine);
  return { chain, firstSeq: 1n, previousHash: chainStart(chain), records, head };
}

it("promise 9: a machine that sends tiny records can't make the relay hash and write many at a time", async () => {
  expect((await checkBatch(await batch(4_096), machine.publicKey)).records).toHaveLength(4_096);
  await expect(checkBatch(await batch(4_097), machine.publicKey)).rejects.toMatchObject({
    code: "AuditBroken",
  });
});
