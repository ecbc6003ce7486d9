import { createClient, Keys, type RpcChannel, serve } from "@cmdop/proto";
import { expect, it } from "vitest";
import { LocalUpstream } from "./local-upstream.ts";

it.each([
  ["500 calls of 2 KB each way", 500, 2_000],
  ["64 calls of 60 KB each way", 64, 60_000],
])("promise 9: the relay's own services answer all of %s at once, and go on", async (_what, count, bytes) => {
  const text = "x".repeat(bytes);
  const unused = async () => ({});
  const upstream = new LocalUpstream((server) =>
    serve(server, Keys, async () => ({ caller: null }), {
      put: async ({ grant }) => ({ keyId: grant }),
      whoAmI: unused,
      list: unused,
      block: unused,
    }),
  );
  const channel: RpcChannel = {
    open: async (headers) => upstream.open(headers, new AbortController().signal),
  };
  const client = createClient(Keys, () => channel);
  for (let round = 0; round < 2; round++) {
    const answers = await Promise.all(Array.from({ length: count }, () => client.put({ grant: text })));
    expect(answers.every(({ keyId }) => keyId === text)).toBe(true);
  }
  await upstream.close();
});
