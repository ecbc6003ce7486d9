import {
  CmdopError,
  type Grant,
  type KeysListResponse_KeptKey,
  Keys as KeysService,
  readGrant,
  thumbprint,
} from "@cmdop/proto";
import type { MachineCaller } from "../connection/caller.ts";
import type { KeyInfo, KeyState } from "./key-types.ts";

/** Most keys in a listing, which would never end if the relay always named a next page. */
const MAX_LISTED_KEYS = 1_000_000;

/** Yields the keys that a relay keeps, page by page. `keyId`: only this one. */
export async function* keptKeys(
  relay: MachineCaller,
  keyId = "",
): AsyncGenerator<KeysListResponse_KeptKey, void> {
  const service = relay.client(KeysService);
  let after = "";
  for (let listed = 0; listed < MAX_LISTED_KEYS; ) {
    const request = { after, keyId };
    const page = await relay.invoke("/cmdop.relay.v1.Keys/List", (call) => service.list(request, call));
    yield* page.keys;
    if (page.next === "") return;
    if (page.next <= after) throw new CmdopError("Internal", "The relay lists its keys in circles.");
    after = page.next;
    listed += page.keys.length;
  }
  throw new CmdopError("LimitExceeded", `The relay lists more than ${MAX_LISTED_KEYS} keys.`);
}

/** Reads a kept grant without verifying it; verify it before any decision that rests on it. */
export function grantOf(kept: KeysListResponse_KeptKey): Grant {
  const grant = readGrant(kept.grant);
  if (thumbprint(grant.key) === kept.keyId) return grant;
  throw new CmdopError("GrantRefused", `The relay shows another key's grant for ${kept.keyId}.`, {
    next: "This relay gives false answers: find out who runs it.",
  });
}

/** Describes a kept key for people and programs. */
export function keyInfo(kept: KeysListResponse_KeptKey): KeyInfo {
  const grant = grantOf(kept);
  return {
    keyId: kept.keyId,
    name: grant.name,
    scopes: grant.scopes,
    machines: grant.machines,
    ...(grant.paths === undefined ? {} : { paths: grant.paths }),
    jobs: grant.jobs ?? "end",
    createdAtMs: grant.iat * 1000,
    expiresAtMs: grant.not_after * 1000,
    lastUsedMs: kept.lastUsedMs === 0 ? null : kept.lastUsedMs,
    state: stateOf(kept, grant),
    grant: kept.grant,
  };
}

function stateOf(kept: KeysListResponse_KeptKey, grant: Grant): KeyState {
  if (kept.revoked) return "revoked";
  if (kept.blocked) return "blocked";
  if (Date.now() >= grant.not_after * 1000) return "expired";
  return kept.orphaned ? "orphaned" : "active";
}
