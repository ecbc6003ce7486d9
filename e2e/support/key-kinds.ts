import {
  type ErrorCode,
  generateKeyPair,
  HEADERS,
  type KeyPair,
  OWNER_SCOPES,
  SCOPES,
  type Scope,
} from "@cmdop/proto";
import type { Door } from "./doors.ts";
import { type GrantedKey, nowS, type TokenOptions, type TrustWorld } from "./trust-world.ts";

/** What is true of a caller at a door: all that the oracle goes by. */
export interface Standing {
  /** The whole answer to anything it asks there, where something is wrong with it. */
  readonly refused?: ErrorCode;
  /** Whether its token is for another target: a relay sees that only once it knows where the call goes. */
  readonly misdirected: boolean;
  readonly scopes: readonly Scope[];
  readonly owner: boolean;
  /** Whether its grant names the machine. */
  readonly reaches: boolean;
  /** Whether its grant binds it to the directory `inside`. */
  readonly bound: boolean;
}

/** A kind of key. */
export interface KeyKind {
  readonly name: string;
  readonly standing: (door: Door) => Standing;
  /** What it sends: through the relay its token, at the local door its grant too. `machine` null: to the relay itself. */
  readonly headers: (door: Door, machine: string | null) => Promise<Record<string, string>>;
}

const STANDING: Standing = { scopes: SCOPES, owner: false, reaches: true, bound: false, misdirected: false };

/** How long the grant of the expired key lives, in seconds: as short as the relay still takes it. */
const SHORT_LIFE_S = 2;

/** Every kind of key there is, good and bad. `machine`: the one that calls go to; `inside`: the directory that the bound one is bound to. */
export async function everyKind(world: TrustWorld, machine: string, inside: string): Promise<KeyKind[]> {
  const all = { scopes: [...SCOPES] };
  const expired = await world.createKey({ ...all, not_after: nowS() + SHORT_LIFE_S });
  const endsAtS = nowS() + SHORT_LIFE_S;
  const revoked = await world.createKey(all);
  await world.putRoster({ revoked: [revoked.key.id] });
  const good = await world.createKey(all);
  const modest = await world.createKey({ scopes: ["machines:read"] });
  const stranger = generateKeyPair();

  const kinds: KeyKind[] = [
    {
      name: "no key",
      standing: (door) => (door === "relay" ? { ...STANDING, refused: "Unauthenticated" } : STANDING),
      headers: async (_door, to): Promise<Record<string, string>> =>
        to === null ? {} : { [HEADERS.machine]: to },
    },
    kind("unknown to the relay", await world.signedKey(all), (door) =>
      door === "relay" ? { refused: "KeyUnknown" } : {},
    ),
    kind("granted by a stranger", await world.signedKey(all, stranger), (door) => ({
      refused: door === "relay" ? "KeyUnknown" : "GrantRefused",
    })),
    // The relay puts the key's own grant in its place.
    kind("with another key's grant", { key: modest.key, grant: good.grant }, (door) =>
      door === "relay" ? { scopes: ["machines:read"] } : { refused: "GrantRefused" },
    ),
    kind("expired", expired, () => ({ refused: "GrantExpired" })),
    kind("revoked", revoked, () => ({ refused: "KeyRevoked" })),
    kind("token ended", good, () => ({ refused: "TokenExpired" }), { atS: nowS() - 600 }),
    kind("token from the future", good, () => ({ refused: "TokenExpired" }), { atS: nowS() + 600 }),
    kind("token for another relay", good, () => ({ refused: "Unauthenticated" }), {
      relayId: generateKeyPair().id,
    }),
    kind("token for another machine", good, () => ({ misdirected: true }), { machine: "elsewhere" }),
    kind("for another machine", await world.createKey({ ...all, machines: [{ name: "other-*" }] }), () => ({
      reaches: false,
    })),
    kind(
      "for another label",
      await world.createKey({ ...all, machines: [{ labels: { team: "other" } }] }),
      () => ({ reaches: false }),
    ),
    kind("for its label", await world.createKey({ ...all, machines: [{ labels: { team: "web" } }] })),
    kind("all scopes", good),
    kind(
      "bound to a directory",
      await world.createKey({ scopes: SCOPES.filter((scope) => scope !== "terminal"), paths: [inside] }),
      () => ({ scopes: SCOPES.filter((scope) => scope !== "terminal"), bound: true }),
    ),
    kind("owner", { key: world.owner }, () => ({ scopes: OWNER_SCOPES, owner: true })),
  ];
  for (const scope of SCOPES) {
    kinds.push(
      kind(`only ${scope}`, await world.createKey({ scopes: [scope] }), () => ({ scopes: [scope] })),
    );
  }
  while (nowS() < endsAtS) await new Promise((resolve) => setTimeout(resolve, 100));
  return kinds;

  function kind(
    name: string,
    { key, grant }: { key: KeyPair } & Partial<GrantedKey>,
    standing: (door: Door) => Partial<Standing> = () => ({}),
    token: Partial<TokenOptions> = {},
  ): KeyKind {
    return {
      name,
      standing: (door) => ({ ...STANDING, ...standing(door) }),
      async headers(door, to) {
        const headers = await world.headers({ key, machine: to, ...token });
        if (to !== null) headers[HEADERS.machine] = machine;
        return door === "local" && grant !== undefined ? { ...headers, [HEADERS.grant]: grant } : headers;
      },
    };
  }
}
