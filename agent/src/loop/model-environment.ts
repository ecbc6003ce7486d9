/** Where models come from, and the variables in which their own tools look for a key. */
export const PROVIDERS = {
  anthropic: ["ANTHROPIC_API_KEY"],
  openai: ["OPENAI_API_KEY"],
  google: ["GOOGLE_GENERATIVE_AI_API_KEY", "GEMINI_API_KEY"],
  "openai-compatible": [],
} as const satisfies Record<string, readonly string[]>;

/** The variables that hold a key. */
const KEYS: readonly string[] = ["CMDOP_MODEL_API_KEY", ...Object.values(PROVIDERS).flat()];

/** Whether a variable is one in which a model's key may be. */
export function isModelKey(name: string): boolean {
  return KEYS.includes(name);
}

/** The keys that were taken out of this process's environment, which is all that holds them then. */
const taken: Record<string, string> = {};

/**
 * Takes the keys of models out of the environment, so that nothing that this
 * process starts can inherit them; whether there have been any. To be called
 * before anything is started. What it can't undo: Linux shows the environment
 * that a process was started with in /proc/PID/environ, to its own user, for as
 * long as it runs.
 */
export function takeModelKeys(env: NodeJS.ProcessEnv = process.env): boolean {
  for (const name of KEYS) {
    const key = env[name];
    if (key) taken[name] = key;
    delete env[name];
  }
  return Object.keys(taken).length > 0;
}

/** The environment as far as it is about models, with the keys that were taken out of it. */
export function modelEnvironment(): NodeJS.ProcessEnv {
  takeModelKeys();
  const { CMDOP_MODEL, CMDOP_MODEL_BASE_URL } = process.env;
  return { CMDOP_MODEL, CMDOP_MODEL_BASE_URL, ...taken };
}
