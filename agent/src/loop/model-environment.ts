/** Model providers, and the environment variables in which their own tools look for a key. */
export const PROVIDERS = {
  anthropic: ["ANTHROPIC_API_KEY"],
  openai: ["OPENAI_API_KEY"],
  google: ["GOOGLE_GENERATIVE_AI_API_KEY", "GEMINI_API_KEY"],
  "openai-compatible": [],
} as const satisfies Record<string, readonly string[]>;

/** Environment variables that may hold a model key. */
const KEYS: readonly string[] = ["CMDOP_MODEL_API_KEY", ...Object.values(PROVIDERS).flat()];

/** True if a model's key may be in this variable. */
export function isModelKey(name: string): boolean {
  return KEYS.includes(name);
}

/** Keys that were removed from the environment; from then on they are held only here. */
const taken: Record<string, string> = {};

/**
 * Removes model keys from the environment, so that no process started from here inherits them. Returns true
 * if there were any. Must be called before anything is started. It can't change /proc/PID/environ: there
 * Linux shows the user the environment that the process was started with, as long as it runs.
 */
export function takeModelKeys(env: NodeJS.ProcessEnv = process.env): boolean {
  for (const name of KEYS) {
    const key = env[name];
    if (key) taken[name] = key;
    delete env[name];
  }
  return Object.keys(taken).length > 0;
}

/** Returns the environment variables about models, including the keys that were removed. */
export function modelEnvironment(): NodeJS.ProcessEnv {
  takeModelKeys();
  const { CMDOP_MODEL, CMDOP_MODEL_BASE_URL } = process.env;
  return { CMDOP_MODEL, CMDOP_MODEL_BASE_URL, ...taken };
}
