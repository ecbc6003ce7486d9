import type { Caller } from "../policy/caller.ts";
import type { Budget } from "./budget.ts";
import type { Manners } from "./manners.ts";
import type { Model } from "./providers.ts";
import type { RunEvents } from "./run-events.ts";
import type { OutputSchema } from "./schema/output-schema.ts";
import type { Reading } from "./schema/schemas.ts";
import type { ModelSettings } from "./settings.ts";
import type { CallIds, RunTools } from "./tools/tools.ts";

/** The AI SDK, which is loaded with the first run. */
export type AiSdk = typeof import("ai");

/** What every part of a run works with. */
export interface RunContext {
  readonly ai: AiSdk;
  readonly model: Model;
  readonly settings: ModelSettings;
  /** How models are called. */
  readonly manners: Manners;
  readonly events: RunEvents;
  readonly budget: Budget;
  /** Whose run it is, when it was started. */
  readonly caller: Caller;
  /** What the caller's scopes allow. */
  readonly tools: RunTools;
  /** The tool that runs commands, for one of them only. */
  readonly oneCommand: RunTools;
  readonly callIds: CallIds;
  /** Reads an answer of the model as its schema wants it. */
  readonly read: (schema: OutputSchema, text: string) => Promise<Reading>;
  /** One line about the machine, for the model. */
  readonly place: string;
  /** Aborts, with a CmdopError as reason, when the run is to end. */
  readonly signal: AbortSignal;
  /** The model's text since its last call began: what is left of a run that fails. */
  text: string;
}
