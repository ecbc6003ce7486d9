import path from "node:path";
import { userHome } from "@cmdop/kit";
import { type ApiKey, addressSchema, CmdopError, parseApiKey, readPrivateFile } from "@cmdop/proto";
import { z } from "zod";
import { type ReconnectOptions, type ReconnectPauses, reconnectPauses } from "./connection/reconnect.ts";

/** Options of `CMDOPClient.remote`. */
export interface RemoteOptions {
  /** The API key, `cmd_…`; default CMDOP_API_KEY. */
  readonly apiKey?: string | undefined;
  /**
   * `host:port` of the relay, if it is not the address in the key; default CMDOP_RELAY. The relay's pinned id
   * stays the key's.
   */
  readonly relay?: string | undefined;
  /**
   * Id or name of the machine that calls go to; default CMDOP_MACHINE. Not needed for a key that reaches only
   * one machine.
   */
  readonly machine?: string | undefined;
  /** Pauses between attempts to reconnect. Tests with cut connections make them short. */
  readonly reconnect?: ReconnectOptions | undefined;
  /**
   * Called with each statement that this client has signed with the owner's key and that the relay has taken.
   * A program that keeps them can restore a relay that has lost them (`roster.bring`, `keys.bring`). The call
   * waits for it.
   */
  readonly onSigned?: OnSigned | undefined;
}

/** A statement that an owner has signed, as a compact JWS. */
export interface SignedStatement {
  readonly kind: "roster" | "grant";
  readonly statement: string;
}

/** Callback for statements that were signed and taken. */
export type OnSigned = (signed: SignedStatement) => void | Promise<void>;

/** Options of `CMDOPClient.local`. */
export interface LocalOptions {
  /** The agent's home; default CMDOP_HOME or `~/.cmdop`. */
  readonly home?: string | undefined;
  /** Pauses between attempts to reconnect. */
  readonly reconnect?: ReconnectOptions | undefined;
}

/** The settings of a remote client, after environment and defaults. */
export interface ResolvedRemote {
  readonly apiKey: ApiKey;
  readonly machine: string | undefined;
  readonly reconnect: ReconnectPauses;
  readonly onSigned: OnSigned;
}

/** The profile in CMDOP_HOME: default settings of programs and MCP clients on this machine. */
const profileSchema = z.strictObject({
  apiKey: z.string(),
  machine: z.string().optional(),
});
export type Profile = z.infer<typeof profileSchema>;

/** Returns `home`, or else CMDOP_HOME, or else `~/.cmdop`. @throws CmdopError NotFound for a user without a home */
export function cmdopHome(home?: string): string {
  const named = home ?? (process.env.CMDOP_HOME || undefined);
  if (named !== undefined) return path.resolve(named);
  const directory = userHome();
  if (directory !== undefined) return path.resolve(directory, ".cmdop");
  throw new CmdopError(
    "NotFound",
    "This user has no home directory, so there is no place for cmdop's files.",
    {
      next: "Set CMDOP_HOME to a directory that this user can write to.",
    },
  );
}

/** Returns the path of a home's profile. */
export function profilePath(home?: string): string {
  return path.join(cmdopHome(home), "profile.json");
}

/** Completes the options of `remote` from the environment. */
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

/**
 * Completes the options of `remote` from the profile of CMDOP_HOME. Environment variables and `overrides`
 * take precedence.
 */
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
    // The file holds a key, so neither its text nor a parser's quotation of it may reach a message.
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
