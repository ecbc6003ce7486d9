import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { CmdopError } from "@cmdop/proto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { loadModelSettings, secretOf } from "./settings.ts";

const KEY = "sk-a-secret-of-the-machine";

let stateDir: string;
beforeEach(async () => {
  stateDir = await mkdtemp(path.join(os.tmpdir(), "cmdop-model-"));
});
afterEach(() => rm(stateDir, { recursive: true }));

const writeModel = (content: string, mode = 0o600) =>
  writeFile(path.join(stateDir, "model.json"), content, { mode });

async function refusal(env: NodeJS.ProcessEnv = {}): Promise<CmdopError> {
  const error = CmdopError.from(await loadModelSettings(stateDir, env).catch((thrown: unknown) => thrown));
  expect(`${error.message} ${error.next} ${String(error.cause)}`).not.toContain(KEY);
  return error;
}

describe("the machine's model", () => {
  it("promise 10: without one the error says exactly what to set", async () => {
    const { code, next } = await refusal();
    expect(code).toBe("ModelMissing");
    for (const part of ["CMDOP_MODEL=provider:model", "CMDOP_MODEL_API_KEY", "model.json", "anthropic"]) {
      expect(next).toContain(part);
    }
  });

  it.each([
    [{ CMDOP_MODEL: "openai:gpt-x", CMDOP_MODEL_API_KEY: KEY }, "openai", KEY],
    [{ CMDOP_MODEL: "openai:gpt-x", OPENAI_API_KEY: KEY }, "openai", KEY],
    [{ CMDOP_MODEL: "anthropic:claude-x", ANTHROPIC_API_KEY: KEY }, "anthropic", KEY],
    [{ CMDOP_MODEL: "google:gemini-x", GEMINI_API_KEY: KEY }, "google", KEY],
    [
      { CMDOP_MODEL: "openai-compatible:qwen3:8b", CMDOP_MODEL_BASE_URL: "http://127.0.0.1:11434/v1" },
      "openai-compatible",
      undefined,
    ],
  ])("the environment says it: %j", async (env, provider, apiKey) => {
    expect(await loadModelSettings(stateDir, env)).toMatchObject({ provider, apiKey });
  });

  it("a model's name may hold colons", async () => {
    const env = {
      CMDOP_MODEL: "openai-compatible:qwen3:8b",
      CMDOP_MODEL_BASE_URL: "https://models.example/v1",
    };
    expect((await loadModelSettings(stateDir, env)).modelId).toBe("qwen3:8b");
  });

  it("model.json says it where the environment does not", async () => {
    await writeModel(JSON.stringify({ model: "anthropic:claude-x", apiKey: KEY }));
    expect(await loadModelSettings(stateDir, {})).toMatchObject({ provider: "anthropic", apiKey: KEY });
    const env = { CMDOP_MODEL: "openai:gpt-x", OPENAI_API_KEY: KEY };
    expect(await loadModelSettings(stateDir, env)).toMatchObject({ provider: "openai" });
  });

  it.each([
    ["{", "model.json"],
    [`{"model": "openai:gpt-x", "apiKey": "${KEY}"`, "model.json"],
    [JSON.stringify({ model: 7, apiKey: KEY }), "model"],
    [JSON.stringify({ model: "openai:gpt-x", apiKey: KEY, key: KEY }), "model.json"],
    [JSON.stringify({ model: "nobody:gpt-x", apiKey: KEY }), "provider"],
    [JSON.stringify({ model: "openai:gpt-x", apiKey: `${KEY}\n` }), "key"],
    [JSON.stringify({ model: "openai:gpt-x" }), "no key"],
    [JSON.stringify({ model: "openai-compatible:x", apiKey: KEY }), "its address is missing"],
    [
      JSON.stringify({ model: "openai-compatible:x", baseUrl: "http://192.0.2.1/v1", apiKey: KEY }),
      "plain http",
    ],
    [JSON.stringify({ model: "openai-compatible:x", baseUrl: `https://me:${KEY}@x.example` }), "password"],
  ])("a model.json that can't be used is refused without its key: %s", async (content, why) => {
    await writeModel(content);
    expect(await refusal()).toMatchObject({ code: "ModelMissing", message: expect.stringContaining(why) });
  });

  it("a model.json that others can read is refused", async () => {
    await writeModel(JSON.stringify({ model: "anthropic:claude-x", apiKey: KEY }));
    await chmod(path.join(stateDir, "model.json"), 0o644);
    expect((await refusal()).code).toBe("AccessDenied");
  });

  it.each([
    ["ollama", undefined],
    ["x", undefined],
    ["lm-studio", undefined],
    [KEY, KEY],
  ])("%s is a key; words that local servers take for one are no secrets", async (apiKey, secret) => {
    const model = { model: "openai-compatible:x", baseUrl: "http://127.0.0.1:11434/v1", apiKey };
    await writeModel(JSON.stringify(model));
    const settings = await loadModelSettings(stateDir, {});
    expect([settings.apiKey, secretOf(settings)]).toEqual([apiKey, secret]);
  });
});
