import { mkdir, readdir, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { agentStateDir, codec, Files, HEADERS, METHODS, type MethodRule } from "@cmdop/proto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Door } from "./support/doors.ts";
import { everyKind, type KeyKind, type Standing } from "./support/key-kinds.ts";
import { mounted } from "./support/mounted.ts";
import { RawCaller } from "./support/raw-call.ts";
import { TrustWorld, type WorldMachine } from "./support/trust-world.ts";
import { FILE, VALID_REQUESTS } from "./support/valid-requests.ts";
import { waitUntil } from "./support/wait.ts";

const MACHINE = "web-1";

/** Where the paths of a request lie, seen from a key that is bound to a directory. */
const PLACES = ["inside", "outside", "inside/link-to-outside"] as const;
type Place = (typeof PLACES)[number];

/** What is the agent's own, or another process's: closed to every key, those that may write anywhere among them. */
const OWN_PLACES = [
  "state",
  "mounted-state",
  "inside/mounted-state",
  "root of a process",
  "program",
] as const;
type OwnPlace = (typeof OWN_PLACES)[number];

let world: TrustWorld;
let machine: WorldMachine;
let kinds: KeyKind[];
let doors: Record<Door, RawCaller>;
let files: string;
let mounts: AsyncDisposableStack;

beforeAll(async () => {
  world = await TrustWorld.start();
  machine = await world.addMachine(MACHINE, { team: "web" });
  files = path.join(world.directory, "files");
  for (const place of ["inside", "outside"]) {
    await mkdir(path.join(files, place), { recursive: true });
    await writeFile(path.join(files, place, FILE), "content");
  }
  await symlink("../outside", path.join(files, "inside/link-to-outside"));
  mounts = new AsyncDisposableStack();
  for (const place of ["mounted-state", "inside/mounted-state"]) {
    mounts.use(await mounted(path.join(files, place), ["--bind", machine.home]));
  }
  kinds = await everyKind(world, MACHINE, path.join(files, "inside"));
  doors = {
    relay: await RawCaller.connect(world.address),
    local: await RawCaller.local(machine.socketPath),
  };
  await agentKnowsRevoked();
});
afterAll(async () => {
  await mounts[Symbol.asyncDispose]();
  for (const door of Object.values(doors)) await door[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
});

/**
 * What a call must be answered with, found out by reading the table and nothing
 * of the code that enforces it: `allowed`, or the code of the refusal.
 */
function expected(
  standing: Standing,
  door: Door,
  method: string,
  rule: MethodRule,
  place: Place | OwnPlace,
): string {
  const isRelays = method.startsWith("/cmdop.relay.");
  if (isRelays && door === "local") return "Unimplemented";
  if (standing.refused !== undefined) return standing.refused;
  if (standing.misdirected && door === "local") return "Unauthenticated";
  if (rule.owner === true && !standing.owner) return "PermissionDenied";
  if (!rule.scopes.every((scope) => standing.scopes.includes(scope))) return "PermissionDenied";
  if (standing.misdirected) return "Unauthenticated";
  if (!isRelays && !standing.reaches) return door === "relay" ? "MachineUnknown" : "PermissionDenied";
  if (standing.bound && rule.paths !== undefined) {
    if (place === "outside") return "PermissionDenied";
    if (place === "inside/link-to-outside") return "PolicyDenied";
    if (place !== "inside" && place !== "inside/mounted-state") return "PermissionDenied";
  }
  return isOwn(place) ? "PolicyDenied" : "allowed";
}

function isOwn(place: string): place is OwnPlace {
  return OWN_PLACES.some((own) => own === place);
}

/** Where a place is on this machine. */
function directoryOf(place: Place | OwnPlace): string {
  if (place === "state") return agentStateDir(machine.home);
  if (place === "program") return path.join(import.meta.dirname, "../agent/src/files");
  if (place === "root of a process") return path.join(`/proc/${process.ppid}/root`, files, "outside");
  return path.join(files, place);
}

async function answered(kind: KeyKind, door: Door, method: string, place: Place | OwnPlace): Promise<string> {
  const request = VALID_REQUESTS[method];
  if (request === undefined) throw new Error(`${method} has no valid request: add one to VALID_REQUESTS`);
  const headers = await kind.headers(door, method.startsWith("/cmdop.relay.") ? null : MACHINE);
  const message = await request.message({ world, machine, directory: directoryOf(place) });
  const trailers = await doors[door].call(method, headers, message);
  const found = trailers["grpc-status"] === "0" ? "Ok" : codeOf(trailers);
  return request.answers.some((answer) => answer === found) ? "allowed" : found;
}

/** The code of a refusal; what a server says by itself of methods that a door does not have is no row of our table. */
function codeOf(trailers: Record<string, string>): string {
  const bare = trailers["grpc-status"] === "12" ? "Unimplemented" : `status ${trailers["grpc-status"]}`;
  return trailers[HEADERS.error] ?? bare;
}

/** The relay tells its machines of a new roster by itself; until then the machine goes by the one before. */
async function agentKnowsRevoked(): Promise<void> {
  const revoked = kinds.find(({ name }) => name === "revoked");
  if (revoked === undefined) throw new TypeError("no revoked key");
  await waitUntil(
    async () => (await answered(revoked, "local", "/cmdop.v1.Jobs/List", "inside")) === "KeyRevoked",
  );
}

it("every method of the table has a valid request, and nothing else has", () => {
  expect(Object.keys(VALID_REQUESTS).sort()).toEqual(Object.keys(METHODS).sort());
});

describe.each(["relay", "local"] as const)("promise 5: every kind of key at the %s door", (door) => {
  it.each(Object.entries(METHODS))("%s", async (method, rule) => {
    const wrong: string[] = [];
    for (const kind of kinds) {
      for (const place of rule.paths === undefined ? PLACES.slice(0, 1) : PLACES) {
        const must = expected(kind.standing(door), door, method, rule, place);
        const found = await answered(kind, door, method, place);
        if (found !== must) wrong.push(`${kind.name}, ${place}: must be ${must}, is ${found}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  it.each(Object.entries(METHODS).filter(([, { paths }]) => paths !== undefined))(
    "%s reaches nothing of the agent's own, by whatever way",
    async (method, rule) => {
      const before = await readdir(agentStateDir(machine.home));
      const wrong: string[] = [];
      for (const kind of kinds) {
        for (const place of OWN_PLACES) {
          // The program is no secret.
          if (place === "program" && rule.paths?.some(({ access }) => access === "files:read")) continue;
          const must = expected(kind.standing(door), door, method, rule, place);
          const found = await answered(kind, door, method, place);
          if (found !== must) wrong.push(`${kind.name}, ${place}: must be ${must}, is ${found}`);
        }
      }
      expect(wrong).toEqual([]);
      expect(await readdir(agentStateDir(machine.home))).toEqual(before);
    },
  );

  it("a key that is bound to a directory keeps it, and plants no link that leads out of it", async () => {
    const inside = path.join(files, "inside");
    const link = (target: string, name: string): [string, Uint8Array] => [
      "/cmdop.v1.Files/Symlink",
      codec(Files.method.symlink.input).serialize({ path: path.join(inside, name), target }),
    ];
    const attacks: [string, Uint8Array][] = [
      [
        "/cmdop.v1.Files/Delete",
        codec(Files.method.delete.input).serialize({ path: inside, recursive: true }),
      ],
      [
        "/cmdop.v1.Files/Move",
        codec(Files.method.move.input).serialize({
          source: inside,
          destination: path.join(inside, "in-itself"),
        }),
      ],
      link("../outside", `${door}-up`),
      link(path.join(files, "outside"), `${door}-absolute`),
    ];
    for (const [method, message] of attacks) {
      const headers = await kindNamed("bound to a directory").headers(door, MACHINE);
      expect([method, codeOf(await doors[door].call(method, headers, message))]).toEqual([
        method,
        "PolicyDenied",
      ]);
    }
    const [method, message] = link("../outside", `${door}-free`);
    const free = await kindNamed("only files:write").headers(door, MACHINE);
    expect((await doors[door].call(method, free, message))["grpc-status"]).toBe("0");
  });
});

function kindNamed(name: string): KeyKind {
  const kind = kinds.find((each) => each.name === name);
  if (kind === undefined) throw new TypeError(`no key is called ${name}`);
  return kind;
}
