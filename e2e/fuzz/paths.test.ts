import { readdirSync, realpathSync } from "node:fs";
import { lstat, mkdir, readdir, readFile, readlink, rm, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { codec, Files, HEADERS } from "@cmdop/proto";
import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import { fuzz, fuzzing } from "../support/fuzz.ts";
import { RawCaller } from "../support/raw-call.ts";
import { type GrantedKey, nowS, TrustWorld } from "../support/trust-world.ts";

let world: TrustWorld;
/** What the key is bound to; the agent's own state lies in it. */
let inside: string;
let outside: string;
let state: string;
let door: RawCaller;
let bound: GrantedKey;
let headers: Record<string, string>;
let signedAtS = 0;

beforeAll(async () => {
  world = await TrustWorld.start();
  inside = path.join(world.directory, "inside");
  outside = path.join(world.directory, "outside");
  state = path.join(inside, "machine");
  await mkdir(state, { recursive: true });
  const machine = await world.addMachine("web-1", {}, state);
  bound = await world.createKey({
    scopes: ["files:read", "files:write"],
    paths: [inside],
    not_after: nowS() + 86_400,
  });
  door = await RawCaller.local(machine.socketPath);
  for (const directory of [outside, `${inside}-2`]) await plant(directory);
  await restore();
});
afterAll(async () => {
  await door[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
});

/** Files whose content is their own real path: so each answer says where it came from. */
async function plant(directory: string): Promise<void> {
  await mkdir(path.join(directory, "a/b"), { recursive: true });
  for (const name of ["file", "a/file", "a/b/file"]) {
    const file = path.join(directory, name);
    await writeFile(file, file);
  }
}

/** The tree inside as it was, with all the ways out of it that links can be. */
async function restore(): Promise<void> {
  for (const name of await readdir(inside)) {
    if (name !== "machine") await rm(path.join(inside, name), { recursive: true, force: true });
  }
  await plant(inside);
  const links = {
    out: outside,
    up: "..",
    root: "/",
    chain: "out/a",
    loop: "loop",
    leaf: "../outside/file",
    "a/out": "../../outside",
    "a/state": "../machine",
    "a/in": "b",
  };
  for (const [name, to] of Object.entries(links)) await symlink(to, path.join(inside, name));
}

/** Everything that lies in a directory, as text. */
async function snapshot(directory: string): Promise<string> {
  const names = (await readdir(directory, { recursive: true })).sort();
  const each = await Promise.all(
    names.map(async (name) => {
      const file = path.join(directory, name);
      const stats = await lstat(file);
      if (stats.isSymbolicLink()) return `${name} -> ${await readlink(file)}`;
      return stats.isFile() ? `${name}: ${await readFile(file, "utf8")}` : name;
    }),
  );
  return each.join("\n");
}

async function ask(method: string, message: Uint8Array): Promise<Buffer | undefined> {
  if (nowS() - signedAtS > 30) {
    signedAtS = nowS();
    headers = {
      ...(await world.headers({ key: bound.key, machine: "web-1" })),
      [HEADERS.grant]: bound.grant,
    };
  }
  const { trailers, message: answer } = await door.ask(`/cmdop.v1.Files/${method}`, headers, message);
  if (trailers["grpc-status"] === "0") return answer ?? Buffer.alloc(0);
  // A refusal is one of ours, and no accident.
  expect(trailers[HEADERS.error], JSON.stringify(trailers)).toBeDefined();
  expect(trailers[HEADERS.error]).not.toBe("Internal");
  return undefined;
}

/** Where a path leads, as the kernel sees it; undefined where it leads nowhere. */
function leadsTo(asked: string): string | undefined {
  try {
    return realpathSync(asked);
  } catch (thrown) {
    if (thrown instanceof Error && "code" in thrown) return undefined;
    throw thrown;
  }
}

const lies = (where: string, directory: string): boolean =>
  where === directory || where.startsWith(`${directory}/`);

/** Fails where a yes to this path would be a wrong one. */
function mustBeInside(asked: string, follow: boolean): void {
  const normal = path.resolve(asked);
  const parent = leadsTo(path.dirname(normal)) ?? "";
  const where = follow ? leadsTo(normal) : path.join(parent, path.basename(normal));
  if (where === undefined) return;
  expect(lies(where, inside), `${asked} leads to ${where}`).toBe(true);
  expect(lies(where, state), `${asked} leads to the agent's state`).toBe(false);
}

/** Paths that an attacker would try: from inside, from beside it, by links, dots and odd spellings. */
function somePath(): fc.Arbitrary<string> {
  const name = fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom("a", "b", "file", "..", "inside") },
    {
      weight: 1,
      arbitrary: fc.constantFrom(
        "a",
        "b",
        "file",
        "out",
        "up",
        "root",
        "chain",
        "loop",
        "leaf",
        "in",
        "state",
        "machine",
        "agent",
        "machine.key",
        "membership.json",
        "..",
        ".",
        "",
        "inside",
        "outside",
        "new",
        "%2e%2e",
        "..;",
        "...",
        "~",
        "file\0",
        "\u2025",
        "\u{1F512}",
        "proc",
        "self",
        "cwd",
        "fd",
        "..\\..",
        " ",
        "a".repeat(300),
      ),
    },
  );
  const start = fc.constantFrom(
    inside,
    inside,
    inside,
    inside,
    `${inside}/a`,
    `${inside}-2`,
    `${inside}/../outside`,
    `${inside}//`,
    `${inside}/.`,
    outside,
    state,
    world.directory,
    "",
    "/",
    "~",
    "/proc/self/root",
    `/proc/self/cwd/${inside}`,
    `/proc/${process.pid}/root${inside}`,
    inside.toUpperCase(),
    inside.slice(0, -1),
  );
  return fc.tuple(start, fc.array(name, { maxLength: 5 })).map(([from, names]) => [from, ...names].join("/"));
}

const reading = fuzzing(0.12);
it(`promise 5: a key that is bound to a directory reads nothing outside of it (${reading.title})`, {
  timeout: reading.timeout,
}, async () => {
  // Refusing everything would be no art.
  const open = codec(Files.method.read.input).serialize({ path: `${inside}/file` });
  expect(await ask("Read", open)).toBeDefined();
  const inputs = fc.tuple(fc.constantFrom("Read", "ReadStream", "List", "Info"), somePath());
  await fuzz(reading.cases, inputs, async ([method, asked]) => {
    const answer = await ask(method, codec(Files.method.read.input).serialize({ path: asked }));
    if (answer === undefined) return;
    // Info describes a link itself, so only its name must lie inside.
    mustBeInside(asked, method !== "Info");
    if (method === "Read") {
      const content = codec(Files.method.read.output).deserialize(answer).content;
      expect(lies(Buffer.from(content).toString(), inside)).toBe(true);
    }
    if (method === "List" && asked !== "") {
      const { entries } = codec(Files.method.list.output).deserialize(answer);
      const real = readdirSync(path.resolve(asked));
      for (const { name } of entries) expect(real).toContain(name);
    }
  });
});

const writing = fuzzing(0.1);
it(`promise 5: nor does it change anything outside of it, or the machine's own state (${writing.title})`, {
  timeout: writing.timeout,
}, async () => {
  const before = { outside: await snapshot(outside), beside: await snapshot(`${inside}-2`) };
  const key = await readFile(path.join(state, "agent/machine.key")).catch(() => undefined);
  let changed = 0;
  const inputs = fc.record({
    method: fc.constantFrom("Write", "Delete", "Mkdir", "Copy", "Move"),
    first: somePath(),
    second: somePath(),
    flag: fc.boolean(),
  });
  await fuzz(writing.cases, inputs, async ({ method, first, second, flag }) => {
    const done = await ask(method, messageOf(method, first, second, flag));
    expect(await snapshot(outside)).toBe(before.outside);
    expect(await snapshot(`${inside}-2`)).toBe(before.beside);
    expect((await readdir(world.directory)).sort()).toEqual(["inside", "inside-2", "outside", "relay"]);
    if (done === undefined) return;
    changed += 1;
    for (const file of await filesIn(inside)) {
      // Content that came from outside would name its place there.
      expect(await readFile(file, "utf8")).not.toMatch(new RegExp(`^${outside}|^${inside}-2`));
    }
    await restore();
  });
  expect(changed).toBeGreaterThan(0);
  expect(await readFile(path.join(state, "agent/machine.key")).catch(() => undefined)).toEqual(key);
  expect(await ask("List", codec(Files.method.list.input).serialize({ path: inside }))).toBeDefined();
});

function messageOf(method: string, first: string, second: string, flag: boolean): Uint8Array {
  if (method === "Write") {
    const content = Buffer.from("written");
    return codec(Files.method.write.input).serialize({ path: first, content, parents: flag });
  }
  if (method === "Delete") {
    return codec(Files.method.delete.input).serialize({ path: first, recursive: flag });
  }
  if (method === "Mkdir") return codec(Files.method.mkdir.input).serialize({ path: first, parents: flag });
  const message = { source: first, destination: second, overwrite: flag };
  return method === "Copy"
    ? codec(Files.method.copy.input).serialize({ ...message, recursive: flag })
    : codec(Files.method.move.input).serialize(message);
}

/** The regular files in a directory, the agent's own left out. */
async function filesIn(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name))
    .filter((file) => !lies(file, state));
}
