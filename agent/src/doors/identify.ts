import { BoundedMap } from "@cmdop/kit";
import {
  type Arrival,
  type CallToken,
  CmdopError,
  callTokenKeyId,
  checkCallTokenAudience,
  checkCallTokenTime,
  HEADERS,
  OWNER_SCOPES,
  ownerKey,
  SCOPES,
  thumbprint,
  verifyCallToken,
  verifySignedGrant,
} from "@cmdop/proto";
import type { Identity } from "../policy/authorize.ts";
import type { Membership } from "../state/membership.ts";
import { checkStanding, type Standing } from "./standing.ts";

/**
 * Verified credentials that are remembered, so that a repeated call needs no signature check: a token lives a
 * minute and is reused.
 */
const MAX_REMEMBERED_CREDENTIALS = 1_000;

/** A token and a grant whose signatures were verified against the roster with this seq. */
interface Verified {
  readonly rosterSeq: number;
  readonly token: CallToken;
  readonly standing: Standing;
}

/**
 * A caller, and the basis of its right. A caller of the local socket without a token has no basis that could
 * end.
 */
export interface Identified extends Identity {
  readonly standing?: Standing | undefined;
}

/** The part of a call that identifies its caller. */
export type Credentials = Pick<Arrival, "header">;

/**
 * Called with the key that signed a call, once that is certain. The call may still be refused for its time or
 * a revocation.
 */
export type OnKey = (keyId: string, keyName: string) => void;

/**
 * Identifies callers. Signatures are verified once and remembered; time, audience, revocation and machine are
 * checked at every call, on this machine, whatever a relay has checked before.
 */
export class Identifier {
  readonly #membership: Membership;
  readonly #remembered = new BoundedMap<string, Verified>(MAX_REMEMBERED_CREDENTIALS);

  constructor(membership: Membership) {
    this.#membership = membership;
  }

  /** Identifies a caller from a relay: always a key, shown by its token and grant. */
  async remote(arrival: Credentials, onKey?: OnKey): Promise<Identified> {
    const authorization = arrival.header(HEADERS.authorization);
    const token = /^Bearer ([\w.-]+)$/.exec(authorization ?? "")?.[1];
    if (token === undefined) {
      throw new CmdopError("Unauthenticated", "The call carries no token.");
    }
    const standing = await this.#verified(token, arrival.header(HEADERS.grant), onKey);
    const { keyId, granted } = standing;
    if (granted === undefined) {
      return { door: "relay", keyId, keyName: "owner", scopes: OWNER_SCOPES, owner: true, standing };
    }
    const { name: keyName, scopes, paths } = granted.grant;
    const bound = paths === undefined ? {} : { paths };
    return { door: "relay", keyId, keyName, scopes, owner: false, standing, ...bound };
  }

  /**
   * Identifies a caller of the local socket. The socket's mode is the credential; a token, if there is one,
   * is verified and limits the caller to its key's rights.
   */
  async local(arrival: Credentials, onKey?: OnKey): Promise<Identified> {
    if (arrival.header(HEADERS.authorization) !== undefined) {
      return { ...(await this.remote(arrival, onKey)), door: "local" };
    }
    onKey?.("local", "local");
    return { door: "local", keyId: "local", keyName: "local", scopes: SCOPES, owner: false };
  }

  async #verified(
    token: string,
    grantStatement: string | undefined,
    onKey: OnKey | undefined,
  ): Promise<Standing> {
    const { clock, relay, identity, rosterSeq } = this.#membership;
    const cacheKey = `${token} ${grantStatement ?? ""}`;
    let found = this.#remembered.get(cacheKey);
    if (found === undefined || found.rosterSeq !== rosterSeq) {
      found = await this.#verify(token, grantStatement);
      this.#remembered.set(cacheKey, found);
    }
    const { standing } = found;
    onKey?.(standing.keyId, standing.granted?.grant.name ?? "owner");
    clock.observeCaller(found.token.iat);
    checkCallTokenTime(found.token, clock.nowS());
    checkCallTokenAudience(found.token, relay.id, [identity.id, identity.name]);
    checkStanding(standing, this.#membership);
    return standing;
  }

  async #verify(token: string, grantStatement: string | undefined): Promise<Verified> {
    const { owners, clock, rosterSeq } = this.#membership;
    const keyId = callTokenKeyId(token);
    const owner = ownerKey(owners)(keyId);
    if (owner !== undefined) {
      return { rosterSeq, ...(await verifyCallToken(token, () => owner)), standing: { keyId } };
    }
    if (grantStatement === undefined) {
      throw new CmdopError("KeyUnknown", "The call came without the grant of its key.");
    }
    const granted = await verifySignedGrant(grantStatement, owners);
    const { grant } = granted;
    if (thumbprint(grant.key) !== keyId) {
      throw new CmdopError(
        "GrantRefused",
        "The grant belongs to another key than the one that signed the call.",
      );
    }
    clock.observeOwner(grant.iat);
    return { rosterSeq, ...(await verifyCallToken(token, () => grant.key)), standing: { keyId, granted } };
  }
}
