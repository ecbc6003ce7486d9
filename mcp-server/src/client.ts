import type { Agent, CMDOPClient, Files, Terminal } from "@cmdop/sdk";

/** What the tools can do on one machine. */
export interface ToolMachine {
  readonly terminal: Pick<Terminal, "stream" | "resumeStream" | "cancel">;
  readonly agent: Pick<Agent, "stream" | "resumeStream" | "cancel" | "approve">;
  readonly files: Pick<
    Files,
    "list" | "walk" | "read" | "search" | "write" | "edit" | "delete" | "copy" | "move" | "mkdir" | "info"
  >;
}

/**
 * What the tools need of the SDK, and nothing else: a CMDOPClient fits. Named
 * here so that all that a model can reach stands in one place.
 */
export interface ToolClient extends ToolMachine {
  /** One machine by id or name. */
  machine(name: string): ToolMachine;
  readonly machines: Pick<CMDOPClient["machines"], "list">;
  /** Who the client is to the relay; only what its key reaches is looked at. */
  whoAmI(): Promise<{ readonly machines: readonly { readonly name: string }[] }>;
}
