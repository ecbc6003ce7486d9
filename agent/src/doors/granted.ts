import { SCOPES, thumbprint, verifySignedGrant } from "@cmdop/proto";
import type { Identity } from "../policy/authorize.ts";
import type { Membership } from "../state/membership.ts";
import { checkStanding } from "./standing.ts";

/**
 * Returns the identity that a grant would give, verified as at a call except for the token; without a grant,
 * that of a caller of the local socket.
 * @throws CmdopError as at a call
 */
export async function granted(statement: string, membership: Membership): Promise<Identity> {
  if (statement === "") {
    return { door: "local", keyId: "local", keyName: "local", scopes: SCOPES, owner: false };
  }
  const signed = await verifySignedGrant(statement, membership.owners);
  const keyId = thumbprint(signed.grant.key);
  checkStanding({ keyId, granted: signed }, membership);
  const { name: keyName, scopes, paths } = signed.grant;
  return { door: "relay", keyId, keyName, scopes, owner: false, ...(paths === undefined ? {} : { paths }) };
}
