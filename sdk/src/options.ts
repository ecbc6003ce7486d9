import os from "node:os";
import path from "node:path";
import { type ApiKey, addressSchema, CmdopError, parseApiKey, readPrivateFile } from "@cmdop/proto";
import { z } from "zod";
import { type ReconnectOptions, type ReconnectPauses, reconnectPauses } from "./connection/reconnect.ts";

/** How `CMDOPClient.remote` is made. */
export interface RemoteOptions {
  /** `cmd_…`; CMDOP_API_KEY unless given. */
  readonly apiKey?: string | undefined;
  /** `host:port` of the relay, where it is not the one in the key; CMDOP_RELAY unless given. The pin stays the key's. */
  readonly relay?: string | undefined;
  /** Id or name of the machine that calls go to; CMDOP_MACHINE unless given. Not needed by a key that reaches exactly one. */
  readonly machine?: string | undefined;
  /** Pauses between attempts over a lost connection. Tests of cut lines make them short. */
  readonly reconnect?: ReconnectOptions | undefined;
  /**
   * Told of each statement that this client has signed with its owner's key and
   * that the relay has taken: whoever keeps them can teach a relay that has lost
   * them (`roster.bring`, `keys.bring`). The call waits for it.
   */
  readonly onSigned?: OnSigned | undefined;
}

/** A statement that an owner has signed, as a compact JWS. */
export interface SignedStatement {
  readonly kind: "roster" | "grant";
  readonly statement: string;
}

/** Told of statements that were signed and taken. */
export type OnSigned = (signed: SignedStatement) => void | Promise<void>;

/** How `CMDOPClient.local` is made. */
export interface LocalOptions {
  /** The agent's home; CMDOP_HOME or `~/.cmdop` unless given. */
  readonly home?: string | undefined;
  /** Pauses between attempts over a lost connection. */
  readonly reconnect?: ReconnectOptions | undefined;
}

/** What `remote` comes to. */
export interface ResolvedRemote {
  readonly apiKey: ApiKey;
  readonly machine: string | undefined;
  readonly reconnect: ReconnectPauses;
  readonly onSigned: OnSigned;
}

/** The profile in CMDOP_HOME: what a program or MCP client on this machine uses when it is told nothing else. */
const profileSchema = z.strictObject({
  apiKey: z.string(),
  machine: z.string().optional(),
});
export type Profile = z.infer<typeof profileSchema>;

/** CMDOP_HOME, or `~/.cmdop`. */
export function cmdopHome(home?: string): string {
  return path.resolve(home ?? process.env.CMDOP_HOME ?? path.join(os.homedir(), ".cmdop"));
}

/** Where the profile of a home is. */
export function profilePath(home?: string): string {
  return path.join(cmdopHome(home), "profile.json");
}

/** Options of `remote` with the environment behind them. */
export function resolveRemote(options: RemoteOptions): ResolvedRemote {
  const text = options.apiKey ?? process.env.CMDOP_API_KEY;
  if (text === undefined || text === "") {
    throw new CmdopError("Unauthenticated", "There is no API key.", {
      next: "Pass apiKey, set CMDOP_API_KEY, or use CMDOPClient.fromProfile() after cmdop up.",
    });
  }
  const apiKey = parseApiKey(text);
  const address = options.relay ?? process.env.CMDOP_RELAY;
  const machine = options.machine ?? process.env.CMDOP_MACHINE;
  return {
    apiKey: address ? withAddress(apiKey, address) : apiKey,
    machine: machine === "" ? undefined : machine,
    reconnect: reconnectPauses(options.reconnect),
    onSigned: options.onSigned ?? (() => undefined),
  };
}

/** Options of `remote` from the profile of CMDOP_HOME; environment and overrides come first. */
export function resolveProfile(overrides: RemoteOptions): ResolvedRemote {
  if (overrides.apiKey !== undefined || process.env.CMDOP_API_KEY) return resolveRemote(overrides);
  const profile = readProfile(profilePath());
  return resolveRemote({
    ...overrides,
    apiKey: profile.apiKey,
    machine: overrides.machine ?? (process.env.CMDOP_MACHINE || profile.machine),
  });
}

function readProfile(file: string): Profile {
  const text = readPrivateFile(file);
  if (text === undefined) {
    throw new CmdopError("Unauthenticated", `There is no profile ${file}.`, {
      next: "Run cmdop up on this machine, or set CMDOP_API_KEY.",
    });
  }
  try {
    return profileSchema.parse(JSON.parse(text));
  } catch (cause) {
    // The file holds a key: neither its text nor the parser's quotation of it may reach a message.
    throw new CmdopError(
      "InvalidArgument",
      `The profile ${file} is damaged: expected {"apiKey": …, "machine": …}.`,
      {
        next: "Run cmdop up again, or set CMDOP_API_KEY.",
        cause: cause instanceof z.ZodError ? cause : undefined,
      },
    );
  }
}

function withAddress(apiKey: ApiKey, address: string): ApiKey {
  const checked = addressSchema.safeParse(address);
  if (!checked.success) {
    throw new CmdopError("InvalidArgument", `${JSON.stringify(address)} is not a relay address.`, {
      next: "Give it as host:port, in CMDOP_RELAY or the relay option.",
    });
  }
  return { ...apiKey, relay: { id: apiKey.relay.id, address: checked.data } };
}
