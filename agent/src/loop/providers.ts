import type { LanguageModel } from "ai";
import { modelFetch } from "./model-fetch.ts";
import type { ModelSettings } from "./settings.ts";

/** The model object of the AI SDK, not its name: a name alone would go to a gateway. */
export type Model = Exclude<LanguageModel, string>;

/** What a model is asked for beside its answers. */
interface ModelOptions {
  /** Whether for the tokens of a stream, where that has to be said. */
  readonly asksUsage: boolean;
}

/**
 * Opens the machine's model; nothing is called yet. Each provider's library is
 * loaded when it is first needed: an agent that runs no LLM must not pay for it.
 */
export async function openModel(
  { provider, modelId, baseUrl, apiKey }: ModelSettings,
  { asksUsage }: ModelOptions = { asksUsage: true },
): Promise<Model> {
  // The libraries take an absent option and an undefined one for different things.
  const options = {
    fetch: modelFetch,
    ...(baseUrl === undefined ? {} : { baseURL: baseUrl }),
    ...(apiKey === undefined ? {} : { apiKey }),
  };
  switch (provider) {
    case "anthropic": {
      const { createAnthropic } = await import("@ai-sdk/anthropic");
      return createAnthropic(options)(modelId);
    }
    case "openai": {
      const { createOpenAI } = await import("@ai-sdk/openai");
      return createOpenAI(options)(modelId);
    }
    case "google": {
      const { createGoogle } = await import("@ai-sdk/google");
      return createGoogle(options)(modelId);
    }
    case "openai-compatible": {
      const { createOpenAICompatible } = await import("@ai-sdk/openai-compatible");
      const compatible = createOpenAICompatible({
        ...options,
        name: "openai-compatible",
        baseURL: baseUrl ?? "",
        includeUsage: asksUsage,
        supportsStructuredOutputs: true,
      });
      return compatible(modelId);
    }
  }
}
