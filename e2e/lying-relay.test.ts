import { mkdir, readdir } from "node:fs/promises";
import path from "node:path";
import { codec, generateKeyPair, HEADERS, Link, METHODS, SCOPES, signMachineRecord } from "@cmdop/proto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { AUDIT, HELLO, type LyingLink, LyingRelay, WELCOME } from "./support/lying-relay.ts";
import { RawCaller } from "./support/raw-call.ts";
import { START, startMessage } from "./support/start-message.ts";
import { type GrantedKey, nowS, TrustWorld, type WorldMachine } from "./support/trust-world.ts";

let world: TrustWorld;
let relay: LyingRelay;
let web: WorldMachine;
let db: WorldMachine;
/** Links of both machines that the relay has greeted properly. */
let toWeb: LyingLink;
let toDb: LyingLink;
/** Where a command that ran has left a file. */
let ran: string;

const former = generateKeyPair();
const stranger = generateKeyPair();
let oldRoster: string;
let keys: Record<"web" | "db" | "reader" | "label" | "expired" | "revoked" | "former", GrantedKey>;

beforeAll(async () => {
  world = await TrustWorld.start();
  ran = path.join(world.directory, "ran");
  await mkdir(ran);
  web = await world.addMachine("web-1", { team: "web" });
  db = await world.addMachine("db-1", { team: "db" });
  keys = {
    web: await world.signedKey({ machines: [{ name: "web-1" }] }),
    db: await world.signedKey({ machines: [{ id: db.identity.id }] }),
    reader: await world.signedKey({ scopes: ["machines:read"] }),
    label: await world.signedKey({ machines: [{ labels: { team: "db" } }] }),
    expired: await world.signedKey({ iat: nowS() - 60, not_after: nowS() - 1 }),
    revoked: await world.signedKey({}),
    former: await world.signedKey({}, former),
  };
  oldRoster = await world.putRoster({ owners: [world.owner.publicKey, former.publicKey] });
  await world.putRoster({ revoked: [keys.revoked.key.id] });
  await world.relay.shutdown();
  relay = await LyingRelay.replace(world);
  toWeb = await greeted(web);
  toDb = await greeted(db);
});
afterAll(async () => {
  await relay[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
});

/** Cuts what there is and waits for the machine to dial again. */
async function afresh(machine: WorldMachine): Promise<LyingLink> {
  const before = machine === web ? toWeb : toDb;
  // Before the first there is none.
  await before?.caller[Symbol.asyncDispose]();
  const link = await relay.linkOf(machine.identity.id);
  if (machine === web) toWeb = link;
  else toDb = link;
  return link;
}

async function greeted(machine: WorldMachine): Promise<LyingLink> {
  const link = await afresh(machine);
  expect(await link.welcome({ roster: world.roster })).toEqual({ rosterSeq: 3n });
  return link;
}

/** What a relay forwards of a call: the caller's token for `machine`, and the grant that it adds itself. */
async function forwarded({ key, grant }: GrantedKey, machine = "web-1", atS = nowS()) {
  return { ...(await world.headers({ key, machine, atS })), [HEADERS.grant]: grant };
}

let attempts = 0;
/** Has a command run that leaves a file; `Ok`, or the code that the machine refuses it with. */
async function attempt(link: LyingLink, headers: Record<string, string | string[]>): Promise<string> {
  attempts += 1;
  const message = startMessage(crypto.randomUUID(), `echo > ${path.join(ran, String(attempts))}`);
  const trailers = await link.caller.call(START, headers, message);
  const left = await readdir(ran);
  for (const name of left) expect(permitted, `attempt ${name} ran a command`).toContain(name);
  return trailers["grpc-status"] === "0"
    ? "Ok"
    : (trailers[HEADERS.error] ?? `status ${trailers["grpc-status"]}`);
}
/** The attempts that are to succeed. */
const permitted: string[] = [];
const permitNext = (): number => permitted.push(String(attempts + 1));

describe("promise 5: a relay that lies gets nothing that the owner did not grant", () => {
  it("what the owner did grant it can forward: the links of this test do work", async () => {
    permitNext();
    expect(await attempt(toWeb, await forwarded(keys.web))).toBe("Ok");
    permitNext();
    expect(await attempt(toDb, await forwarded(keys.db, "db-1"))).toBe("Ok");
    permitNext();
    expect(await attempt(toDb, await forwarded(keys.label, db.identity.id))).toBe("Ok");
    expect(await readdir(ran)).toHaveLength(permitted.length);
  });

  it.each([
    ["a call without the scope", () => forwarded(keys.reader), "PermissionDenied"],
    ["a call of a key for another machine", () => forwarded(keys.db), "PermissionDenied"],
    ["a call of a key for another label", () => forwarded(keys.label), "PermissionDenied"],
    ["a call of a key that has ended", () => forwarded(keys.expired), "GrantExpired"],
    ["a call of a revoked key", () => forwarded(keys.revoked), "KeyRevoked"],
    ["a grant of a former owner", () => forwarded(keys.former), "GrantRefused"],
    [
      "a grant of a stranger",
      async () => forwarded(await world.signedKey({ scopes: [...SCOPES] }, stranger)),
      "GrantRefused",
    ],
    ["a token replayed after its end", () => forwarded(keys.web, "web-1", nowS() - 200), "TokenExpired"],
    ["a token from the future", () => forwarded(keys.web, "web-1", nowS() + 200), "TokenExpired"],
    [
      "a token for another relay",
      async () => ({
        ...(await forwarded(keys.web)),
        ...(await world.headers({ key: keys.web.key, machine: "web-1", relayId: stranger.id })),
      }),
      "Unauthenticated",
    ],
    ["no token", async () => ({ [HEADERS.grant]: keys.web.grant }), "Unauthenticated"],
    ["no grant", () => world.headers({ key: keys.web.key, machine: "web-1" }), "KeyUnknown"],
    [
      "an owner's token, who must grant first",
      () => world.headers({ key: world.owner, machine: "web-1" }),
      "PermissionDenied",
    ],
  ])("forwards everything: %s", async (_title, headers, code) => {
    expect(await attempt(toWeb, await headers())).toBe(code);
  });

  it("misroutes: a call for one machine does not run on another, even where the key reaches both", async () => {
    const both = await world.signedKey({});
    expect(await attempt(toDb, await forwarded(both, "web-1"))).toBe("Unauthenticated");
    expect(await attempt(toWeb, await forwarded(both, db.identity.id))).toBe("Unauthenticated");
    const renamed = { ...(await forwarded(both, "web-1")), [HEADERS.machine]: "db-1" };
    expect(await attempt(toDb, renamed)).toBe("Unauthenticated");
    expect(await attempt(toDb, await forwarded(keys.web, "db-1"))).toBe("PermissionDenied");
  });

  it("swaps grants: another key's is refused, also behind a token that was verified before", async () => {
    const wide = await world.signedKey({ scopes: [...SCOPES] });
    const own = await forwarded(keys.reader);
    expect(await attempt(toWeb, own)).toBe("PermissionDenied");
    expect(await attempt(toWeb, { ...own, [HEADERS.grant]: wide.grant })).toBe("GrantRefused");
    expect(await attempt(toWeb, { ...own, [HEADERS.grant]: [keys.reader.grant, wide.grant] })).not.toBe("Ok");
    expect(await attempt(toWeb, { ...own, [HEADERS.grant]: [wide.grant, keys.reader.grant] })).not.toBe("Ok");
    expect(await attempt(toWeb, own)).toBe("PermissionDenied");
  });

  it("invents headers: nothing but token and grant says who calls", async () => {
    const ownerId = world.owner.id;
    const invented = {
      [HEADERS.caller]: ownerId,
      [HEADERS.call]: crypto.randomUUID(),
      "x-cmdop-owner": world.owner.publicKey,
      "x-cmdop-scopes": SCOPES.join(","),
      "x-cmdop-door": "local",
      "x-cmdop-roster": oldRoster,
      "x-cmdop-roster-seq": "1",
      "x-cmdop-time": "0",
      "x-forwarded-for": "127.0.0.1",
      "x-cmdop-approved": "true",
    };
    expect(await attempt(toWeb, invented)).toBe("Unauthenticated");
    expect(await attempt(toWeb, { ...invented, ...(await forwarded(keys.reader)) })).toBe("PermissionDenied");
    expect(await attempt(toWeb, { ...invented, ...(await forwarded(keys.revoked)) })).toBe("KeyRevoked");
    expect(await attempt(toWeb, { ...invented, ...(await forwarded(keys.expired)) })).toBe("GrantExpired");
  });
});

describe("promise 5: a relay that lies about the owner's statements", () => {
  it("replays an old roster: the newer stays, what it has revoked stays revoked, its former owner former", async () => {
    expect(await toWeb.welcome({ roster: oldRoster })).toEqual({ rosterSeq: 3n });
    const link = await afresh(web);
    expect(await link.welcome({ roster: oldRoster })).toEqual({ rosterSeq: 3n });
    expect(await attempt(link, await forwarded(keys.revoked))).toBe("KeyRevoked");
    expect(await attempt(link, await forwarded(keys.former))).toBe("GrantRefused");
  });

  it("another roster of the same seq changes nothing", async () => {
    const twin = await world.signedRoster({ seq: 3, owners: [world.owner.publicKey, former.publicKey] });
    expect(await toWeb.welcome({ roster: twin })).toEqual({ rosterSeq: 3n });
    expect(await attempt(toWeb, await forwarded(keys.revoked))).toBe("KeyRevoked");
    expect(await attempt(toWeb, await forwarded(keys.former))).toBe("GrantRefused");
  });

  it.each([
    ["a stranger", stranger],
    ["a former owner", former],
  ])("a roster of %s is refused, and a link that began with it carries no calls", async (_who, signer) => {
    const owners = [world.owner.publicKey, signer.publicKey];
    const roster = await world.signedRoster({ seq: 1_000, owners }, signer);
    expect(await toDb.welcome({ roster })).toEqual({ refused: "GrantRefused" });
    const link = await afresh(db);
    expect(await link.welcome({ roster })).toEqual({ refused: "GrantRefused" });
    expect(await attempt(link, await forwarded(keys.db, "db-1"))).toBe("Unauthenticated");
    expect(await link.welcome({ roster: world.roster })).toEqual({ rosterSeq: 3n });
    expect(await attempt(link, await forwarded(await world.signedKey({}, signer), "db-1"))).toBe(
      "GrantRefused",
    );
  });

  it("machine records of another machine, of a stranger and old ones rename and relabel nothing", async () => {
    const labels = { team: "db" };
    const record = (id: string, seq: number, signer = world.owner) =>
      signMachineRecord({ id, name: "web-1", labels, seq }, signer);
    await toWeb.welcome({ machineRecord: await record(db.identity.id, 5) });
    expect(await attempt(toWeb, await forwarded(keys.label))).toBe("PermissionDenied");
    expect(await toWeb.welcome({ machineRecord: await record(web.identity.id, 5, stranger) })).toHaveProperty(
      "refused",
    );
    expect(await attempt(toWeb, await forwarded(keys.label))).toBe("PermissionDenied");

    // The owner's own word moves it to the other team and back; the relay can't take the second word back.
    expect(await toWeb.welcome({ machineRecord: await record(web.identity.id, 6) })).toHaveProperty(
      "rosterSeq",
    );
    permitNext();
    expect(await attempt(toWeb, await forwarded(keys.label))).toBe("Ok");
    const back = await signMachineRecord(
      { id: web.identity.id, name: "web-1", labels: { team: "web" }, seq: 7 },
      world.owner,
    );
    await toWeb.welcome({ machineRecord: back });
    expect(await attempt(toWeb, await forwarded(keys.label))).toBe("PermissionDenied");
    await toWeb.welcome({ machineRecord: await record(web.identity.id, 6) });
    expect(await attempt(toWeb, await forwarded(keys.label))).toBe("PermissionDenied");
  });

  it("a welcome that claims to be a refusal or comes twice leaves what is in force", async () => {
    const refusal = codec(Link.method.welcome.input).serialize({ refusedCode: "LinkRefused" });
    const trailers = await toWeb.caller.call(WELCOME, {}, refusal);
    expect(trailers[HEADERS.error]).toBe("InvalidArgument");
    expect(await attempt(toWeb, await forwarded(keys.revoked))).toBe("KeyRevoked");
  });
});

describe("promise 5: a relay that skips the greeting", () => {
  it.each(Object.keys(METHODS).filter((method) => method.startsWith("/cmdop.v1.")))(
    "%s is not answered before Hello and Welcome",
    async (method) => {
      const link = await afresh(db);
      const headers = await forwarded(await world.signedKey({ scopes: [...SCOPES] }), "db-1");
      const trailers = await link.caller.call(method, headers);
      expect(trailers[HEADERS.error]).toBe("Unauthenticated");
      await link.caller[Symbol.asyncDispose]();
    },
  );

  it("no Hello at all, a Welcome without a Hello, a second Hello", async () => {
    const link = await relay.connection();
    expect(await attempt(link, await forwarded(keys.web))).toBe("Unauthenticated");
    expect(await link.welcome({ roster: world.roster })).toEqual({ refused: "InvalidArgument" });
    expect(await attempt(link, await forwarded(keys.web))).toBe("Unauthenticated");
    expect(await link.hello()).toBeDefined();
    expect(await link.hello()).toBeUndefined();
    await link.caller[Symbol.asyncDispose]();
  });

  it("the audit chain is not for a relay that the machine has not welcomed", async () => {
    const link = await afresh(web);
    const trailers = await link.caller.call(AUDIT, {}, codec(Link.method.audit.input).serialize({}));
    expect(trailers["grpc-status"]).not.toBe("0");
    await link.caller[Symbol.asyncDispose]();
  });

  it("a Hello whose nonce is too short or too long is not signed", async () => {
    for (const bytes of [0, 31, 33, 4_096]) {
      const link = await relay.connection();
      const nonce = Buffer.alloc(bytes);
      const trailers = await link.caller.call(HELLO, {}, codec(Link.method.hello.input).serialize({ nonce }));
      expect(trailers[HEADERS.error]).toBe("InvalidArgument");
      await link.caller[Symbol.asyncDispose]();
    }
  });
});

describe("promise 5: callers can't play the relay", () => {
  it.each([HELLO, WELCOME, AUDIT])("%s has no handler at the local door", async (method) => {
    await using local = await RawCaller.local(web.socketPath);
    const trailers = await local.call(method, await forwarded(keys.web));
    expect(trailers["grpc-status"]).toBe("12");
  });

  it("nor does a machine forget its relay's services: they are none of its own", async () => {
    const link = await greeted(web);
    for (const method of Object.keys(METHODS).filter((each) => each.startsWith("/cmdop.relay."))) {
      const owner = await world.headers({ key: world.owner, machine: "web-1" });
      expect((await link.caller.call(method, owner))["grpc-status"]).toBe("12");
    }
  });
});
