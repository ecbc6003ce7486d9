import { posix } from "node:path";
import { METHODS, SCOPES, type Scope } from "@cmdop/proto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { authorize, type Decision, type Identity, type Resource } from "./authorize.ts";
import type { Policy } from "./policy.ts";

const HOME = "/home/u";
const EXEC = "/cmdop.v1.Exec/Start";
const READ = "/cmdop.v1.Files/Read";
const WRITE = "/cmdop.v1.Files/Write";
const COPY = "/cmdop.v1.Files/Copy";
const INFO = "/cmdop.v1.Machine/Info";
const CREATE = "/cmdop.v1.Sessions/Create";
const INPUT = "/cmdop.v1.Jobs/Input";
const SHELLS: Policy = { shells: ["/bin/sh"] };
const PUT = "/cmdop.relay.v1.Keys/Put";

function key(scopes: readonly Scope[], paths?: readonly string[]): Identity {
  const bound = paths === undefined ? {} : { paths };
  return { door: "relay", keyId: "k1", keyName: "ci", scopes, owner: false, ...bound };
}

const EVERYTHING = key(SCOPES);
const LOCAL: Identity = { ...EVERYTHING, door: "local", keyId: "local", keyName: "local" };
const FILES = ["files:read", "files:write"] as const;
const OWNER: Identity = { ...key(["admin"]), owner: true };

/** Makes a resource with the paths of a request, in the order of the method table. */
function at(method: string, ...paths: string[]): Resource {
  const fields = METHODS[method]?.paths ?? [];
  return { paths: fields.map(({ access }, index) => ({ access, path: paths[index] ?? "" })) };
}

const NOTHING: Resource = { paths: [] };

function starting(program: string, ...variables: string[]): Resource {
  return { paths: [], starts: { programs: [program], variables } };
}

function outcome(decision: Decision): string {
  return decision.kind === "deny" ? decision.error.code : decision.kind;
}

describe("authorize", () => {
  it.each<[string, Identity, string, Resource, Policy, string]>([
    ["everything granted", EVERYTHING, EXEC, NOTHING, {}, "allow"],
    ["the local socket", { ...EVERYTHING, door: "local", keyId: "local" }, EXEC, NOTHING, {}, "allow"],
    ["a method that is in no table", EVERYTHING, "/cmdop.v1.Exec/Nope", NOTHING, {}, "Unimplemented"],
    ["a name that objects have", EVERYTHING, "constructor", NOTHING, {}, "Unimplemented"],
    ["the link's own service", EVERYTHING, "/cmdop.v1.Link/Hello", NOTHING, {}, "Unimplemented"],
    ["an owner's method by an owner", OWNER, PUT, NOTHING, {}, "allow"],
    ["an owner's method by a key with every scope", EVERYTHING, PUT, NOTHING, {}, "PermissionDenied"],
    ["an owner without a grant", OWNER, EXEC, NOTHING, {}, "PermissionDenied"],
    ["no scope at all", key([]), EXEC, NOTHING, {}, "PermissionDenied"],
    ["another scope", key(["files:read"]), EXEC, NOTHING, {}, "PermissionDenied"],
    ["reading without writing", key(["files:read"]), READ, at(READ, "/etc/hosts"), {}, "allow"],
    ["writing with files:read", key(["files:read"]), WRITE, at(WRITE, "/tmp/x"), {}, "PermissionDenied"],
    ["copying with files:read", key(["files:read"]), COPY, at(COPY, "/a", "/b"), {}, "PermissionDenied"],
    ["copying with both", key(FILES), COPY, at(COPY, "/a", "/b"), {}, "allow"],
    ["what the policy withholds", EVERYTHING, EXEC, NOTHING, { scopes: ["files:read"] }, "PolicyDenied"],
    [
      "what grant and policy both lack",
      key(["files:read"]),
      EXEC,
      NOTHING,
      { scopes: [] },
      "PermissionDenied",
    ],
    ["terminal under readOnly", EVERYTHING, EXEC, NOTHING, { readOnly: true }, "PolicyDenied"],
    ["writing under readOnly", EVERYTHING, WRITE, at(WRITE, "/tmp/x"), { readOnly: true }, "PolicyDenied"],
    ["reading under readOnly", EVERYTHING, READ, at(READ, "/tmp/x"), { readOnly: true }, "allow"],
    ["a path inside of the grant", key(FILES, ["~/w"]), READ, at(READ, "/home/u/w/f"), {}, "allow"],
    ["the granted directory itself", key(FILES, ["~/w/"]), READ, at(READ, "~/w"), {}, "allow"],
    ["a neighbour by prefix", key(FILES, ["~/w"]), READ, at(READ, "~/work"), {}, "PermissionDenied"],
    ["a way out by ..", key(FILES, ["~/w"]), READ, at(READ, "~/w/../x"), {}, "PermissionDenied"],
    ["a way back in by ..", key(FILES, ["~/w"]), READ, at(READ, "/etc/../home/u/w/x"), {}, "allow"],
    ["a path above the grant", key(FILES, ["~/w"]), READ, at(READ, "~"), {}, "PermissionDenied"],
    ["one of two paths outside", key(FILES, ["/a"]), COPY, at(COPY, "/a/x", "/b"), {}, "PermissionDenied"],
    ["inside of the policy's roots", key(FILES), READ, at(READ, "/srv/x"), { roots: ["/srv"] }, "allow"],
    [
      "outside of the policy's roots",
      key(FILES),
      READ,
      at(READ, "/etc/x"),
      { roots: ["/srv"] },
      "PolicyDenied",
    ],
    [
      "inside of one list only",
      key(FILES, ["/a"]),
      READ,
      at(READ, "/a/x"),
      { roots: ["/b"] },
      "PolicyDenied",
    ],
    ["inside of both lists", key(FILES, ["/a"]), READ, at(READ, "/a/b/x"), { roots: ["/a/b"] }, "allow"],
    ["a root of everything", key(FILES, ["/"]), READ, at(READ, "/etc/x"), {}, "allow"],
    ["a grant that nobody can read", key(FILES, ["~bob"]), READ, at(READ, "/a"), {}, "InvalidArgument"],
    ["no path", key(FILES), READ, at(READ, ""), {}, "InvalidArgument"],
    ["a relative path", key(FILES), READ, at(READ, "x"), {}, "InvalidArgument"],
    ["a NUL in a path", key(FILES), READ, at(READ, "/a\0"), {}, "InvalidArgument"],
    ["the local socket under its ceiling", LOCAL, EXEC, NOTHING, { local: ["files:read"] }, "PolicyDenied"],
    ["the local socket within it", LOCAL, READ, at(READ, "/a"), { local: ["files:read"] }, "allow"],
    [
      "a key on the local socket, whose ceiling is its grant",
      { ...EVERYTHING, door: "local" },
      EXEC,
      NOTHING,
      { local: [] },
      "allow",
    ],
    ["what waits by its scope", EVERYTHING, EXEC, NOTHING, { ask: ["terminal"] }, "ask"],
    ["what waits by its path", EVERYTHING, EXEC, NOTHING, { ask: [EXEC] }, "ask"],
    ["another method of that scope", EVERYTHING, CREATE, NOTHING, { ask: [EXEC] }, "allow"],
    ["input to a job that runs", EVERYTHING, INPUT, NOTHING, { ask: ["terminal"] }, "allow"],
    [
      "one of the scopes of a method",
      EVERYTHING,
      COPY,
      at(COPY, "/a", "/b"),
      { ask: ["files:write"] },
      "ask",
    ],
    ["what waits, without its scope", key([]), EXEC, NOTHING, { ask: ["terminal"] }, "PermissionDenied"],
    ["what waits, outside", key(FILES, ["/a"]), READ, at(READ, "/b"), { ask: [READ] }, "PermissionDenied"],
    ["an allowed shell", EVERYTHING, EXEC, starting("/bin/sh"), SHELLS, "allow"],
    ["another program", EVERYTHING, EXEC, starting("/bin/bash"), SHELLS, "PolicyDenied"],
    ["a program by its name alone", EVERYTHING, EXEC, starting("sh"), SHELLS, "PolicyDenied"],
    ["a roundabout path", EVERYTHING, EXEC, starting("/bin/../bin/sh"), SHELLS, "PolicyDenied"],
    ["another shell for a session", EVERYTHING, CREATE, starting("/bin/bash"), SHELLS, "PolicyDenied"],
    [
      "an allowed shell with a harmless variable",
      EVERYTHING,
      EXEC,
      starting("/bin/sh", "TERM"),
      SHELLS,
      "allow",
    ],
    ["with a mighty one", EVERYTHING, EXEC, starting("/bin/sh", "LD_PRELOAD"), SHELLS, "PolicyDenied"],
    ["a caller that hides its program", EVERYTHING, EXEC, NOTHING, SHELLS, "InvalidArgument"],
    ["what starts nothing, under shells", EVERYTHING, INPUT, NOTHING, SHELLS, "allow"],
    ["a caller that hides its paths", key(FILES, ["/a"]), READ, NOTHING, {}, "InvalidArgument"],
  ])("%s", (_, identity, method, resource, policy, expected) => {
    expect(outcome(authorize(identity, method, resource, policy, HOME))).toBe(expected);
  });

  it("hands on what is left: scopes less what the policy withholds, and both lists of directories", () => {
    const policy: Policy = { scopes: ["files:read", "machines:read"], roots: ["/srv/../srv", "~"] };
    const decision = authorize(
      key([...FILES, "machines:read"], ["~/w/"]),
      READ,
      at(READ, "~/w/f"),
      policy,
      HOME,
    );
    expect(decision).toEqual({
      kind: "allow",
      caller: {
        door: "relay",
        keyId: "k1",
        keyName: "ci",
        scopes: new Set(["files:read", "machines:read"]),
        roots: [["/home/u/w"], ["/srv", "/home/u"]],
      },
    });
    const free = authorize(EVERYTHING, INFO, NOTHING, {}, HOME);
    expect(free.kind === "allow" && [free.caller.roots, free.caller.scopes]).toEqual([[], new Set(SCOPES)]);
  });

  it("teaches: which scope, whose key, which list, what next", () => {
    const denied = (decision: Decision) => (decision.kind === "deny" ? decision.error : undefined);
    const scope = denied(authorize(key(["files:read"]), EXEC, NOTHING, {}, HOME));
    expect(scope?.message).toBe('Key "ci" lacks the scope terminal; it has only files:read.');
    expect(scope?.next).toContain("terminal");
    const policy = denied(authorize(EVERYTHING, EXEC, NOTHING, { readOnly: true }, HOME));
    expect(policy?.message).toContain("readOnly");
    expect(policy?.next).toContain("policy.json");
    const grant = denied(authorize(key(FILES, ["/a"]), READ, at(READ, "/b"), {}, HOME));
    expect(grant?.message).toBe('"/b" is outside of what key "ci" is granted: "/a".');
    const roots = denied(authorize(key(FILES), READ, at(READ, "/b"), { roots: ["/a"] }, HOME));
    expect(roots?.message).toContain("policy");
  });

  it("never allows more than grant, policy and table each allow", () => {
    const scopes = fc.subarray([...SCOPES]);
    fc.assert(
      fc.property(
        fc.constantFrom(...Object.keys(METHODS)),
        scopes,
        fc.option(scopes, { nil: undefined }),
        fc.boolean(),
        (method, granted, allowed, readOnly) => {
          const policy: Policy = { readOnly, ...(allowed === undefined ? {} : { scopes: allowed }) };
          const decision = authorize(key(granted), method, at(method, "/a", "/b"), policy, HOME);
          if (decision.kind === "deny") return;
          const rule = METHODS[method];
          expect(rule?.owner).toBeUndefined();
          for (const scope of rule?.scopes ?? []) expect(decision.caller.scopes.has(scope)).toBe(true);
          for (const scope of decision.caller.scopes) {
            expect(granted).toContain(scope);
            expect(allowed ?? SCOPES).toContain(scope);
            expect(readOnly && ["terminal", "agent", "files:write"].includes(scope)).toBe(false);
          }
        },
      ),
    );
  });

  it("promise 5: never lets a path out of the directories that bind it, however it is written", () => {
    const part = fc.constantFrom("a", "b", "ab", "..", ".", "", "~", "a b", "\u{1f600}", "…", "A");
    const text = fc.array(part, { maxLength: 6 }).map((parts) => parts.join("/"));
    const root = fc.tuple(fc.constantFrom("/", "~/", "~"), text).map(([start, rest]) => start + rest);
    const asked = fc.oneof(root, text, fc.string());
    const resolved = (name: string) =>
      posix.resolve(name === "~" || name.startsWith("~/") ? HOME + name.slice(1) : name);
    const within = (name: string, directory: string) =>
      !posix.relative(directory, name).split("/").includes("..");
    fc.assert(
      fc.property(
        asked,
        fc.array(root, { minLength: 1 }),
        fc.option(fc.array(root, { minLength: 1 })),
        (name, granted, roots) => {
          const policy = roots === null ? {} : { scopes: [...FILES], roots };
          const decision = authorize(key(FILES, granted), READ, at(READ, name), policy, HOME);
          const lists = [granted, ...(roots === null ? [] : [roots])];
          const inside = lists.every((list) => list.some((one) => within(resolved(name), resolved(one))));
          if (decision.kind === "allow") expect(inside).toBe(true);
          else expect(["PermissionDenied", "PolicyDenied", "InvalidArgument"]).toContain(outcome(decision));
        },
      ),
      { numRuns: 300 },
    );
  });
});
