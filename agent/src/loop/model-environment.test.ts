import { afterEach, expect, it } from "vitest";
import { modelEnvironment, takeModelKeys } from "./model-environment.ts";

const NAMES = ["CMDOP_MODEL_API_KEY", "ANTHROPIC_API_KEY", "OPENAI_API_KEY", "GEMINI_API_KEY"];

afterEach(() => {
  for (const name of [...NAMES, "CMDOP_MODEL"]) delete process.env[name];
});

it("promise 6: keys of models are taken out of the environment, and are known on", () => {
  process.env.CMDOP_MODEL = "openai:gpt-x";
  for (const name of NAMES) process.env[name] = `sk-${name}`;
  expect(takeModelKeys()).toBe(true);
  expect(JSON.stringify(process.env)).not.toContain("sk-");
  expect(process.env.CMDOP_MODEL).toBe("openai:gpt-x");
  for (let time = 0; time < 2; time += 1) {
    expect(modelEnvironment()).toMatchObject({
      CMDOP_MODEL: "openai:gpt-x",
      OPENAI_API_KEY: "sk-OPENAI_API_KEY",
    });
  }
});
