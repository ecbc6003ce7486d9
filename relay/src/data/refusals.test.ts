import { generateKeyPair, HEADERS, type KeyPair, signCallToken } from "@cmdop/proto";
import { expect, it } from "vitest";
import { errorOf, rawAnswer, rawCall } from "../testing/raw-call.ts";
import { nowS, refusal, until, World } from "../testing/world.ts";

/** One relay with two machines; a good call by another key works before and after every test. */
async function house() {
  const world = await World.start();
  const web = await world.agent("web-1");
  const db = await world.agent("db-1");
  const session = await world.rawCaller();
  const good = world.caller(await world.key());
  const attempt = async (headers: Record<string, string>, path = "/cmdop.v1.Files/Info") =>
    errorOf(await rawAnswer(rawCall(session, path, headers).end(Buffer.alloc(5))));
  const bearer = async (key: KeyPair, machine: string | null, relayId = world.relay.id, atS = nowS()) => ({
    [HEADERS.authorization]: `Bearer ${await signCallToken({ relayId, machine }, key, atS)}`,
    ...(machine === null ? {} : { [HEADERS.machine]: machine }),
  });
  const unharmed = async () => {
    await good.files.info({ path: "/x" }, { headers: await good.headers("web-1") });
  };
  return { world, web, db, attempt, bearer, unharmed, good };
}

it("refuses a call that does not show who it is", async () => {
  const { world, attempt, bearer, unharmed } = await house();
  await using _ = world;
  const key = await world.key();
  const { authorization = "" } = await bearer(key, "web-1");
  const machine = { [HEADERS.machine]: "web-1" };
  expect(await attempt(machine)).toBe("Unauthenticated");
  expect(await attempt({ ...machine, authorization: "Basic eDp5" })).toBe("Unauthenticated");
  expect(await attempt({ ...machine, authorization: "Bearer not.a.jws" })).toBe("Unauthenticated");
  const forged = `${authorization.slice(0, -86)}${"A".repeat(86)}`;
  expect(await attempt({ ...machine, authorization: forged })).toBe("Unauthenticated");
  expect(await attempt(await bearer(generateKeyPair(), "web-1"))).toBe("KeyUnknown");
  await unharmed();
});

it("refuses a token of another time, another relay or another machine", async () => {
  const { world, web, attempt, bearer, unharmed } = await house();
  await using _ = world;
  const key = await world.key();
  expect(await attempt(await bearer(key, "web-1", world.relay.id, nowS() - 200))).toBe("TokenExpired");
  expect(await attempt(await bearer(key, "web-1", world.relay.id, nowS() + 200))).toBe("TokenExpired");
  expect(await attempt(await bearer(key, "web-1", generateKeyPair().publicKey))).toBe("Unauthenticated");
  // Even where another error would come first: such a token proves nothing here.
  const elsewhere = await bearer(key, null, generateKeyPair().publicKey);
  expect(await attempt(elsewhere)).toBe("Unauthenticated");
  const forDb = await bearer(key, "db-1");
  expect(await attempt({ ...forDb, [HEADERS.machine]: "web-1" })).toBe("Unauthenticated");
  expect(await attempt({ ...forDb, [HEADERS.machine]: web.id })).toBe("Unauthenticated");
  // The relay's own services are another audience again.
  expect(await attempt(await bearer(key, "web-1"), "/cmdop.relay.v1.Machines/List")).toBe("Unauthenticated");
  await unharmed();
});

it("refuses a grant that has ended, was revoked, or whose signer is no owner", async () => {
  const { world, attempt, bearer, unharmed, good } = await house();
  await using _ = world;
  const brief = await world.key({ not_after: nowS() + 2 });
  const revoked = await world.key();
  expect(await attempt(await bearer(revoked, "web-1"))).toBe("status 0");
  await world.putRoster({ seq: 2, revoked: [revoked.id] });
  expect(await attempt(await bearer(revoked, "web-1"))).toBe("KeyRevoked");
  const stranger = generateKeyPair();
  const owner = world.caller(world.owner);
  const grant = await world.grant(generateKeyPair(), {}, stranger);
  expect(await refusal(owner.keys.put({ grant }, { headers: await owner.headers() }))).toBe("GrantRefused");
  const own = await world.grant(good.key, { scopes: ["admin"] });
  expect(await refusal(good.keys.put({ grant: own }, { headers: await good.headers() }))).toBe(
    "PermissionDenied",
  );
  await new Promise((resolve) => setTimeout(resolve, 2_100));
  expect(await attempt(await bearer(brief, "web-1"))).toBe("GrantExpired");
  await unharmed();
});

it("no longer honours grants of an owner who left the roster", async () => {
  await using world = await World.start();
  await world.agent("web-1");
  const second = generateKeyPair();
  await world.putRoster({ seq: 2, owners: [world.owner.publicKey, second.publicKey] });
  const caller = world.caller(await world.key({}, second));
  const call = async () => caller.files.info({ path: "/x" }, { headers: await caller.headers("web-1") });
  await call();
  await world.putRoster({ seq: 3 });
  expect(await refusal(call())).toBe("GrantRefused");
});

it("routes by id and by name, and says why where it can't", async () => {
  const { world, web, attempt, bearer, unharmed } = await house();
  await using _ = world;
  const key = await world.key();
  expect(await attempt(await bearer(key, "web-1"))).toBe("status 0");
  expect(await attempt(await bearer(key, web.id))).toBe("status 0");
  const byName = await bearer(key, "web-1");
  expect(await attempt({ ...byName, [HEADERS.machine]: web.id })).toBe("status 0");
  expect(web.calls).toHaveLength(3);
  const { authorization = "" } = byName;
  expect(await attempt({ authorization })).toBe("MachineRequired");
  expect(await attempt(await bearer(key, "nobody"))).toBe("MachineUnknown");
  const twin = await world.agent("web-1");
  expect(await attempt(await bearer(key, "web-1"))).toBe("MachineAmbiguous");
  expect(await attempt(await bearer(key, twin.id))).toBe("status 0");
  twin.close();
  await until(async () => (await attempt(await bearer(key, twin.id))) === "MachineOffline");
  const owner = await bearer(world.owner, "db-1");
  expect(await attempt(owner)).toBe("PermissionDenied");
  const reader = world.caller(await world.key());
  await reader.files.info({ path: "/" }, { headers: await reader.headers("db-1") });
  await expect(unharmed()).rejects.toMatchObject({ code: "MachineAmbiguous" });
});

it("tells a key nothing about machines that it may not reach", async () => {
  const { world, web, db, attempt, bearer } = await house();
  await using _ = world;
  const key = await world.key({ machines: [{ id: db.id }] });
  expect(await attempt(await bearer(key, "db-1"))).toBe("status 0");
  expect(await attempt(await bearer(key, "web-1"))).toBe("MachineUnknown");
  expect(await attempt(await bearer(key, web.id))).toBe("MachineUnknown");
  const caller = world.caller(key);
  const headers = await caller.headers();
  const { machines } = await caller.machines.list({}, { headers });
  expect(machines.map(({ name }) => name)).toEqual(["db-1"]);
  const twin = await world.agent("db-1");
  // Its namesake is invisible, so the name is not ambiguous to this key.
  expect(twin.id).not.toBe(db.id);
  expect(await attempt(await bearer(key, "db-1"))).toBe("status 0");
});

it("refuses what the key's scopes and the method table do not allow", async () => {
  const { world, attempt, bearer, unharmed } = await house();
  await using _ = world;
  const key = await world.key({ scopes: ["files:read"] });
  const headers = await bearer(key, "web-1");
  expect(await attempt(headers)).toBe("status 0");
  for (const path of ["Files/Write", "Files/Copy", "Exec/Start", "Machine/Info"]) {
    expect(await attempt(headers, `/cmdop.v1.${path}`)).toBe("PermissionDenied");
  }
  for (const path of [
    "/cmdop.v1.Link/Hello",
    "/cmdop.v1.Link/Welcome",
    "/cmdop.v1.Exec/Nothing",
    "/",
    "/__proto__",
  ]) {
    expect(await attempt(headers, path)).toBe("Unimplemented");
  }
  const toRelay = await bearer(key, null);
  expect(await attempt(toRelay, "/cmdop.relay.v1.Keys/Put")).toBe("PermissionDenied");
  expect(await attempt(toRelay, "/cmdop.relay.v1.Roster/Put")).toBe("PermissionDenied");
  expect(await attempt(toRelay, "/cmdop.relay.v1.Machines/List")).toBe("PermissionDenied");
  await unharmed();
});

it("checks a token's signature once, and its time and key at every call", async () => {
  const { world, attempt, bearer } = await house();
  await using _ = world;
  const key = await world.key();
  const headers = await bearer(key, "web-1");
  expect(await attempt(headers)).toBe("status 0");
  expect(await attempt(headers)).toBe("status 0");
  await world.putRoster({ seq: 2, revoked: [key.id] });
  expect(await attempt(headers)).toBe("KeyRevoked");
});

it("ends a connection that only ever shows wrong credentials", async () => {
  const { world, unharmed } = await house();
  await using _ = world;
  const session = await world.rawCaller();
  const closed = new Promise((resolve) => session.once("close", resolve));
  for (let tries = 0; tries < 150 && !session.closed; tries += 1) {
    await rawAnswer(rawCall(session, "/cmdop.v1.Files/Info", { authorization: "Bearer a.b.c" }).end());
  }
  await closed;
  await unharmed();
});
