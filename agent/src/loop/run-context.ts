import type { Caller } from "../policy/caller.ts";
import type { Budget } from "./budget.ts";
import type { Manners } from "./manners.ts";
import type { Model } from "./providers.ts";
import type { RunEvents } from "./run-events.ts";
import type { OutputSchema } from "./schema/output-schema.ts";
import type { Reading } from "./schema/schemas.ts";
import type { ModelSettings } from "./settings.ts";
import type { CallIds, RunTools } from "./tools/tools.ts";

/** The AI SDK, loaded with the first run. */
export type AiSdk = typeof import("ai");

/** The dependencies and the state that all parts of a run share. */
export interface RunContext {
  readonly ai: AiSdk;
  readonly model: Model;
  readonly settings: ModelSettings;
  /** Options that models accept. */
  readonly manners: Manners;
  readonly events: RunEvents;
  readonly budget: Budget;
  /** The run's caller, as it was when the run started. */
  readonly caller: Caller;
  /** The tools that the caller's scopes allow. */
  readonly tools: RunTools;
  /** The tool that runs commands, usable once. */
  readonly oneCommand: RunTools;
  readonly callIds: CallIds;
  /** Reads an answer of the model according to its schema. */
  readonly read: (schema: OutputSchema, text: string) => Promise<Reading>;
  /** One line about the machine, for the model. */
  readonly place: string;
  /** Aborts with a CmdopError as reason when the run must end. */
  readonly signal: AbortSignal;
  /** The model's text since its last call began: the text that a failed run reports. */
  text: string;
}
