import type { LanguageModel } from "ai";
import { modelFetch } from "./model-fetch.ts";
import type { ModelSettings } from "./settings.ts";

/** The AI SDK's model object. Not its name: the SDK sends a mere name to a gateway. */
export type Model = Exclude<LanguageModel, string>;

/** Options of a model beside its settings. */
interface ModelOptions {
  /** True if token counts of a stream are requested, where the provider needs a request. */
  readonly asksUsage: boolean;
}

/**
 * Returns the machine's model without calling it. A provider's library is loaded when it is first needed, so
 * that an agent without LLM runs does not pay for it.
 */
export async function openModel(
  { provider, modelId, baseUrl, apiKey }: ModelSettings,
  { asksUsage }: ModelOptions = { asksUsage: true },
): Promise<Model> {
  // The libraries treat an undefined option differently from an absent one.
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
