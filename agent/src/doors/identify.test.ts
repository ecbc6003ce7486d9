import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import {
  type Arrival,
  generateKeyPair,
  HEADERS,
  type KeyPair,
  signCallToken,
  signGrant,
  signJoinToken,
  signRoster,
} from "@cmdop/proto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Membership } from "../state/membership.ts";
import { Identifier } from "./identify.ts";

const RELAY_ID = generateKeyPair().id;
const DAY_S = 24 * 60 * 60;

const nowS = (): number => Math.floor(Date.now() / 1000);

function arrival(headers: Record<string, string>): Arrival {
  return {
    path: "/cmdop.v1.Jobs/List",
    request: { $typeName: "x" },
    signal: new AbortController().signal,
    header: (name) => headers[name],
    inform: () => undefined,
  };
}

describe("promise 5, the device decides: the relay door", () => {
  const owner = generateKeyPair();
  const machine = generateKeyPair();
  let stateDir: string;
  let membership: Membership;
  let identifier: Identifier;

  beforeEach(async () => {
    stateDir = await mkdtemp(path.join(os.tmpdir(), "cmdop-identify-"));
    const joinToken = await signJoinToken(
      {
        jti: crypto.randomUUID(),
        owner: owner.publicKey,
        relay: { id: RELAY_ID, address: "127.0.0.1:1" },
        name: "web-1",
        labels: { team: "payments" },
        uses: 1,
        iat: nowS() - 10,
        exp: nowS() + 60,
      },
      owner,
    );
    membership = await Membership.open(stateDir, machine.id, { joinToken });
    identifier = new Identifier(membership);
  });

  afterEach(() => rm(stateDir, { recursive: true }));

  async function headersOf(
    options: {
      key?: KeyPair;
      signer?: KeyPair;
      grantOwner?: KeyPair;
      grantKey?: KeyPair;
      relayId?: string;
      machine?: string | null;
      atS?: number;
      notAfterS?: number;
      selector?: { name: string } | { id: string } | { labels: Record<string, string> };
    } = {},
  ): Promise<Record<string, string>> {
    const key = options.key ?? generateKeyPair();
    const grant = await signGrant(
      {
        key: (options.grantKey ?? key).publicKey,
        name: "test",
        scopes: ["terminal"],
        machines: [options.selector ?? { name: "web-*" }],
        iat: nowS() - 10,
        not_after: options.notAfterS ?? nowS() + DAY_S,
      },
      options.grantOwner ?? owner,
    );
    const audience = {
      relayId: options.relayId ?? RELAY_ID,
      machine: options.machine === undefined ? "web-1" : options.machine,
    };
    const token = await signCallToken(audience, options.signer ?? key, options.atS ?? nowS());
    return { [HEADERS.authorization]: `Bearer ${token}`, [HEADERS.grant]: grant };
  }

  it("knows a key by its token and its owner-signed grant, by name, id and label", async () => {
    expect(await identifier.remote(arrival(await headersOf()))).toMatchObject({
      keyName: "test",
      scopes: ["terminal"],
    });
    await identifier.remote(arrival(await headersOf({ machine: machine.id, selector: { id: machine.id } })));
    await identifier.remote(arrival(await headersOf({ selector: { labels: { team: "payments" } } })));
  });

  it.each([
    ["no token", async () => ({}), "Unauthenticated"],
    [
      "a token that is no token",
      async () => ({ [HEADERS.authorization]: "Bearer a.b.c" }),
      "Unauthenticated",
    ],
    ["another scheme", async () => ({ [HEADERS.authorization]: "Basic YTpi" }), "Unauthenticated"],
    ["no grant", async () => ({ ...(await headersOf()), [HEADERS.grant]: undefined }), "KeyUnknown"],
    ["a grant signed by somebody else", () => headersOf({ grantOwner: generateKeyPair() }), "GrantRefused"],
    ["a grant of another key", () => headersOf({ grantKey: generateKeyPair() }), "GrantRefused"],
    ["a grant that has ended, by a second", () => headersOf({ notAfterS: nowS() - 1 }), "GrantExpired"],
    ["a grant for other machines", () => headersOf({ selector: { name: "db-*" } }), "PermissionDenied"],
    [
      "a grant for another label",
      () => headersOf({ selector: { labels: { team: "search" } } }),
      "PermissionDenied",
    ],
    ["a token that has ended", () => headersOf({ atS: nowS() - 300 }), "TokenExpired"],
    ["a token from the future", () => headersOf({ atS: nowS() + 300 }), "TokenExpired"],
    ["a token for another machine", () => headersOf({ machine: "web-2" }), "Unauthenticated"],
    ["a token for the relay itself", () => headersOf({ machine: null }), "Unauthenticated"],
    ["a token for another relay", () => headersOf({ relayId: generateKeyPair().id }), "Unauthenticated"],
  ])("refuses %s", async (_title, headers, code) => {
    const refused = identifier.remote(arrival({ ...(await headers()) }));
    await expect(refused).rejects.toMatchObject({ code });
  });

  it("refuses a token whose signature is another key's", async () => {
    const key = generateKeyPair();
    const honest = await headersOf({ key });
    const [head, payload] = (honest[HEADERS.authorization] ?? "").split(".");
    const forged = (await headersOf())[HEADERS.authorization]?.split(".")[2];
    const headers = { ...honest, [HEADERS.authorization]: `${head}.${payload}.${forged}` };
    await expect(identifier.remote(arrival(headers))).rejects.toMatchObject({ code: "Unauthenticated" });
  });

  it("refuses a revoked key at once, also one that was remembered", async () => {
    const key = generateKeyPair();
    const headers = await headersOf({ key });
    await identifier.remote(arrival(headers));
    const claims = { seq: 1, iat: nowS(), owners: [owner.publicKey], relays: [], revoked: [key.id] };
    await membership.welcomed({ roster: await signRoster(claims, owner), machineRecord: "" });
    await expect(identifier.remote(arrival(headers))).rejects.toMatchObject({ code: "KeyRevoked" });
  });

  it("gives an owner key no authority over commands and files", async () => {
    const token = await signCallToken({ relayId: RELAY_ID, machine: "web-1" }, owner, nowS());
    const identity = await identifier.remote(arrival({ [HEADERS.authorization]: `Bearer ${token}` }));
    expect(identity.owner).toBe(true);
    expect(identity.scopes).not.toContain("terminal");
    expect(identity.scopes).not.toContain("files:read");
  });

  it("trusts the local socket without a token, and narrows with one", async () => {
    expect((await identifier.local(arrival({}))).scopes).toContain("terminal");
    expect(await identifier.local(arrival(await headersOf()))).toMatchObject({
      door: "local",
      scopes: ["terminal"],
    });
    await expect(
      identifier.local(arrival({ [HEADERS.authorization]: "Bearer a.b.c" })),
    ).rejects.toMatchObject({
      code: "Unauthenticated",
    });
  });
});
