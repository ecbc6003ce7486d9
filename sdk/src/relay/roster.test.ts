import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import {
  CmdopError,
  generateKeyPair,
  type Handlers,
  type KeyPair,
  Keys,
  type RosterClaims,
  Roster as RosterService,
  RpcServer,
  readRoster,
  serve,
  signGrant,
  signRoster,
} from "@cmdop/proto";
import { listenOn } from "@cmdop/proto/testing";
import { afterEach, describe, expect, it } from "vitest";
import { MachineCaller } from "../connection/caller.ts";
import { localTransport } from "../connection/transport.ts";
import { Roster } from "./roster.ts";

const owner = generateKeyPair();
const nowS = Math.floor(Date.now() / 1000);

/** A relay that shows any roster and accepts every change. */
interface ShownByRelay {
  roster: string;
  handOvers: string[];
  keys: Awaited<ReturnType<Handlers<typeof Keys, null>["list"]>>["keys"];
  readonly put: RosterClaims[];
}

const cleanUp: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const clean of cleanUp.splice(0)) await clean();
});

async function scriptedRelay(shown: ShownByRelay, key: KeyPair = owner): Promise<Roster> {
  const directory = await mkdtemp(path.join(os.tmpdir(), "cmdop-sdk-"));
  const socketPath = path.join(directory, "socket");
  const server = new RpcServer();
  const unused = async () => {
    throw new CmdopError("Unimplemented", "not in this test");
  };
  const admit = async () => ({ caller: null });
  serve(server, RosterService, admit, {
    get: async () => ({ roster: shown.roster, handOvers: shown.handOvers }),
    put: async ({ roster }) => {
      shown.put.push(readRoster(roster));
      return { seq: BigInt(readRoster(roster).seq) };
    },
  });
  serve(server, Keys, admit, {
    put: unused,
    whoAmI: unused,
    block: unused,
    list: async () => ({ keys: shown.keys ?? [], next: "" }),
  });
  const listener = await listenOn(server, socketPath);
  const transport = localTransport(socketPath, { firstPauseMs: 1, maxPauseMs: 2 });
  cleanUp.push(async () => {
    transport.close();
    await listener[Symbol.asyncDispose]();
    await rm(directory, { recursive: true });
  });
  const relay = { id: key.id, address: "relay.example:1" };
  const caller = new MachineCaller(transport, async () => null);
  return new Roster(
    caller,
    () => ({ key, relay }),
    () => undefined,
  );
}

const signed = (claims: Partial<RosterClaims>, signer = owner): Promise<string> =>
  signRoster({ seq: 1, iat: nowS, owners: [owner.publicKey], relays: [], revoked: [], ...claims }, signer);

const showing = (roster: string, handOvers: string[] = []): ShownByRelay => ({
  roster,
  handOvers,
  keys: [],
  put: [],
});

describe("promise 5: an owner signs no change of a roster that it can't follow", () => {
  const stranger = generateKeyPair();

  it("of a stranger who names it beside itself", async () => {
    const owners = [owner.publicKey, stranger.publicKey];
    const shown = showing(await signed({ seq: 9, owners }, stranger), [
      await signed({ seq: 8, owners }, stranger),
    ]);
    const roster = await scriptedRelay(shown);
    await expect(roster.revoke(generateKeyPair().id)).rejects.toMatchObject({ code: "GrantRefused" });
    await expect(roster.get()).rejects.toMatchObject({
      code: "GrantRefused",
      next: expect.stringMatching(/may be lying/),
    });
    expect(shown.put).toEqual([]);
  });

  it("that is older than one that it has seen", async () => {
    const shown = showing(await signed({ seq: 5, revoked: [stranger.id] }));
    const roster = await scriptedRelay(shown);
    await roster.get();
    shown.roster = await signed({ seq: 4 });
    await expect(roster.revoke(generateKeyPair().id)).rejects.toMatchObject({ code: "GrantRefused" });
    expect(shown.put).toEqual([]);
  });

  it("of an owner whom a removed owner has named", async () => {
    const [second, third] = [generateKeyPair(), generateKeyPair()];
    const both = await signed({ seq: 2, owners: [owner.publicKey, second.publicKey] });
    const without = await signed({ seq: 3 });
    const forged = await signed({ seq: 4, owners: [owner.publicKey, third.publicKey] }, second);
    const roster = await scriptedRelay(showing(forged, [both, without]));
    await expect(roster.change(() => ({}))).rejects.toMatchObject({ code: "GrantRefused" });
  });

  it("but follows the hand-overs from its own word on, and from owners that it was told of", async () => {
    const [second, third] = [generateKeyPair(), generateKeyPair()];
    const named = await signed({ seq: 2, owners: [owner.publicKey, second.publicKey] });
    const owners = [owner.publicKey, third.publicKey];
    const handOver = await signed({ seq: 4, owners }, second);
    const present = await signed({ seq: 7, owners, revoked: [stranger.id] }, third);
    const shown = showing(present, [named, handOver]);
    await (await scriptedRelay(shown)).revoke(second.id);
    expect(shown.put).toMatchObject([{ seq: 8, owners, revoked: [stranger.id, second.id] }]);
    const told = await scriptedRelay(showing(present));
    await expect(told.verified()).rejects.toMatchObject({ code: "GrantRefused" });
    await told.ensure([third.publicKey]);
    expect((await told.verified()).seq).toBe(7);
  });
});

describe("promise 9: a roster revokes so many keys", () => {
  const key = generateKeyPair();
  const grant = (notAfter: number, signer = owner) =>
    signGrant(
      {
        key: key.publicKey,
        name: "old",
        scopes: ["terminal"],
        machines: [{ name: "*" }],
        iat: nowS - 100,
        not_after: notAfter,
      },
      signer,
    );
  const full = Array.from({ length: 9_999 }, () => generateKeyPair().id);
  const kept = (statement: string) => [{ keyId: key.id, grant: statement, revoked: true, orphaned: false }];

  it("and forgets those whose grants have ended, when there is no room for another", async () => {
    const shown = showing(await signed({ revoked: [key.id, ...full] }));
    shown.keys = kept(await grant(nowS - 10));
    const another = generateKeyPair().id;
    await (await scriptedRelay(shown)).revoke(another);
    expect(shown.put[0]?.revoked).toEqual([...full, another]);
  });

  it("but none whose grant has not, and none by a grant that no owner signed", async () => {
    const shown = showing(await signed({ revoked: [key.id, ...full] }));
    const roster = await scriptedRelay(shown);
    shown.keys = kept(await grant(nowS + 1_000));
    await expect(roster.revoke(generateKeyPair().id)).rejects.toMatchObject({ code: "LimitExceeded" });
    shown.keys = kept(await grant(nowS - 10, generateKeyPair()));
    await expect(roster.revoke(generateKeyPair().id)).rejects.toMatchObject({ code: "GrantRefused" });
    expect(shown.put).toEqual([]);
  });
});
