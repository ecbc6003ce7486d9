import { BoundedMap } from "@cmdop/kit";
import {
  type CallToken,
  CmdopError,
  callTokenKeyId,
  checkCallTokenAudience,
  checkCallTokenTime,
  checkGrantTime,
  type KeyId,
  OWNER_SCOPES,
  type PublicKey,
  type Scope,
  verifyCallToken,
} from "@cmdop/proto";
import type { Directory, VerifiedGrant } from "./directory.ts";
import type { FailedLogins, LoginAttempt } from "./failed-logins.ts";
import { MAX_CACHED_TOKENS } from "./limits.ts";
import type { ProvenKey } from "./recorder.ts";
import type { Visitor } from "./visitor.ts";

/** Who calls, proven. */
export interface AuthenticatedCaller {
  readonly keyId: KeyId;
  readonly token: CallToken;
  /** Absent for an owner, who needs none. */
  readonly grant: VerifiedGrant | undefined;
  readonly scopes: readonly Scope[];
}

/** One caller at the door. */
export interface Login {
  readonly authorization: string | undefined;
  /** The connection that it comes over. */
  readonly visitor: Visitor;
  /** Told which key has proven itself, also where it is refused after that: its grant has ended, say. */
  readonly onProven: (key: ProvenKey) => void;
}

/** The longest token that is remembered, in bytes: ours have 300; JSON with spaces could be made to fill the cache. */
const MAX_CACHED_TOKEN_BYTES = 1_024;

const BEARER = /^Bearer ([A-Za-z0-9._-]+)$/i;

/**
 * Finds out who calls. A signature is checked once per token; time, revocation
 * and the grant's end count at every call.
 */
export class Authenticator {
  readonly #directory: Directory;
  readonly #failedLogins: FailedLogins;
  readonly #verified = new BoundedMap<string, CallToken>(MAX_CACHED_TOKENS);
  // Calls that arrive together with the same new token wait for one check.
  readonly #verifying = new Map<string, Promise<CallToken>>();

  constructor(directory: Directory, failedLogins: FailedLogins) {
    this.#directory = directory;
    this.#failedLogins = failedLogins;
  }

  /** Throws Unauthenticated, TokenExpired, KeyUnknown, KeyRevoked, GrantRefused, GrantExpired, or LimitExceeded after too many of those. */
  async authenticate(login: Login): Promise<AuthenticatedCaller> {
    const bearer = BEARER.exec(login.authorization ?? "")?.[1];
    const attempt = await this.#attempt(login, bearer);
    let proven = false;
    const onProven = (key: ProvenKey): void => {
      proven = true;
      login.onProven(key);
    };
    try {
      const caller = await this.#authenticate({ ...login, onProven }, bearer);
      login.visitor.proves(caller.keyId);
      attempt?.passed();
      return caller;
    } catch (thrown) {
      // A store that fails says nothing about the caller.
      if (CmdopError.from(thrown).code === "Internal") attempt?.passed();
      else attempt?.failed(proven);
      throw thrown;
    }
  }

  /** Undefined for a token that has proven itself: it costs no check, and so passes whatever others do in its key's name. */
  async #attempt({ visitor }: Login, bearer: string | undefined): Promise<LoginAttempt | undefined> {
    const keyId = bearer === undefined ? undefined : claimedKeyId(bearer);
    for (;;) {
      if (bearer !== undefined && this.#verified.has(bearer)) return undefined;
      const isOwnAccount = keyId !== undefined && visitor.hasProven(keyId);
      if (isOwnAccount || visitor.looking === undefined) break;
      await visitor.looking;
    }
    return this.#failedLogins.attempt(visitor, keyId, bearer ?? "");
  }

  async #authenticate(
    { authorization, onProven }: Login,
    bearer: string | undefined,
  ): Promise<AuthenticatedCaller> {
    const directory = this.#directory;
    if (bearer === undefined) {
      throw new CmdopError(
        "Unauthenticated",
        authorization === undefined
          ? "The call has no authorization header."
          : "The authorization header is not a bearer call token.",
      );
    }
    const keyId = callTokenKeyId(bearer);
    const { publicKey, grant } = await this.#standing(keyId);
    const token = this.#recall(bearer) ?? (await this.#verify(bearer, publicKey));
    onProven({ id: keyId, name: grant?.claims.name ?? "" });
    if (directory.isRevoked(keyId)) throw revoked();
    checkCallTokenTime(token, directory.nowS());
    // Which machine it is for is checked once it is known where the call goes.
    checkCallTokenAudience(token, directory.relayId, token.machine === null ? [] : [token.machine]);
    if (grant !== undefined) {
      checkGrantTime(grant.claims, directory.nowS());
      directory.used(keyId);
    }
    return { keyId, token, grant, scopes: grant?.claims.scopes ?? OWNER_SCOPES };
  }

  /** Resolves while what a key has open may go on; throws KeyUnknown, KeyRevoked, GrantRefused or GrantExpired. */
  async checkKey(keyId: KeyId): Promise<void> {
    const { grant } = await this.#standing(keyId);
    if (this.#directory.isRevoked(keyId)) throw revoked();
    if (grant !== undefined) checkGrantTime(grant.claims, this.#directory.steadyS());
  }

  async #standing(keyId: KeyId): Promise<{ publicKey: PublicKey; grant: VerifiedGrant | undefined }> {
    const directory = this.#directory;
    const owner = directory.ownerKey(keyId);
    if (owner !== undefined) return { publicKey: owner, grant: undefined };
    const grant = await directory.grantOf(keyId);
    if (grant === undefined) {
      if (directory.isRevoked(keyId)) throw revoked();
      throw new CmdopError("KeyUnknown", `This relay knows no key ${keyId}: its grant was never put here.`);
    }
    return { publicKey: grant.claims.key, grant };
  }

  #recall(bearer: string): CallToken | undefined {
    const token = this.#verified.get(bearer);
    // The last used is the last to go.
    if (token !== undefined) this.#verified.set(bearer, token);
    return token;
  }

  #verify(bearer: string, publicKey: PublicKey): Promise<CallToken> {
    const underWay = this.#verifying.get(bearer);
    if (underWay !== undefined) return underWay;
    const verifying = verifyCallToken(bearer, () => publicKey)
      .then(({ token }) => {
        if (bearer.length <= MAX_CACHED_TOKEN_BYTES) this.#verified.set(bearer, token);
        return token;
      })
      .finally(() => this.#verifying.delete(bearer));
    this.#verifying.set(bearer, verifying);
    return verifying;
  }
}

function revoked(): CmdopError {
  return new CmdopError("KeyRevoked", "This key has been revoked.");
}

/** The key id that a token claims; undefined where it is no token at all, which its verification will say. */
function claimedKeyId(bearer: string): KeyId | undefined {
  try {
    return callTokenKeyId(bearer);
  } catch (thrown) {
    if (thrown instanceof CmdopError) return undefined;
    throw thrown;
  }
}
