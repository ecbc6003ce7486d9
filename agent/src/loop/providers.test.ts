import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { generateText } from "ai";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openModel } from "./providers.ts";
import type { ModelSettings, ProviderName } from "./settings.ts";

const KEY = "sk-a-secret-of-the-machine";
const PROVIDERS: readonly ProviderName[] = ["anthropic", "openai", "google", "openai-compatible"];

/** Starts an HTTP server that counts its calls. */
async function serve(answer: (path: string) => { status: number; location?: string }) {
  const paths: string[] = [];
  const server: Server = createServer((request, response) => {
    paths.push(request.url ?? "");
    const { status, location } = answer(request.url ?? "");
    response.writeHead(status, location === undefined ? {} : { location }).end("{}");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new TypeError("not listening");
  const close = async (): Promise<void> => {
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  };
  return { origin: `http://127.0.0.1:${address.port}`, paths, close };
}

let other: Awaited<ReturnType<typeof serve>>;
beforeEach(async () => {
  other = await serve(() => ({ status: 200 }));
});
afterEach(() => other.close());

/** Calls a model at the address, and returns the error. */
async function failure(provider: ProviderName, baseUrl: string): Promise<unknown> {
  const settings: ModelSettings = { provider, modelId: "m", baseUrl, apiKey: KEY, quietMs: 1_000 };
  const model = await openModel(settings);
  return generateText({ model, prompt: "Hello.", maxRetries: 0 }).catch((thrown: unknown) => thrown);
}

describe.each(PROVIDERS)("%s", (provider) => {
  it.each([301, 302, 303, 307, 308])(
    "promise 5: what answers %i to elsewhere is not followed",
    async (status) => {
      const first = await serve(() => ({ status, location: `${other.origin}/v1?secret=1` }));
      try {
        expect(await failure(provider, `${first.origin}/v1`)).toMatchObject({
          code: "ModelFailed",
          message: expect.stringContaining(`sends its callers to ${other.origin}`),
          next: expect.stringContaining("CMDOP_MODEL_BASE_URL"),
        });
        expect(other.paths).toEqual([]);
        expect(first.paths).toHaveLength(1);
      } finally {
        await first.close();
      }
    },
  );

  it("nor to another place of the same server, nor to what is no address", async () => {
    for (const location of ["/v2", "http://[", ""]) {
      const first = await serve(() => ({ status: 307, location }));
      try {
        expect(await failure(provider, `${first.origin}/v1`)).toMatchObject({ code: "ModelFailed" });
        expect(first.paths).toHaveLength(1);
      } finally {
        await first.close();
      }
    }
  });

  it("plain http goes to this machine only, wherever the address comes from", async () => {
    expect(await failure(provider, "http://192.0.2.1/v1")).toMatchObject({
      code: "ModelFailed",
      message: expect.stringContaining("plain http"),
    });
  });
});
