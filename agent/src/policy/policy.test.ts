import { mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadPolicy, parsePolicy, withheldBy } from "./policy.ts";

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(path.join(os.tmpdir(), "cmdop-policy-"));
});
afterAll(() => rm(dir, { recursive: true }));

describe("loadPolicy", () => {
  it("takes a missing file for a policy that allows everything", async () => {
    expect(await loadPolicy(path.join(dir, "none.json"))).toEqual({});
  });

  it("reads what is there", async () => {
    const file = path.join(dir, "policy.json");
    const policy = { scopes: ["files:read"], roots: ["~/shared", "/srv"], readOnly: true };
    await writeFile(file, JSON.stringify(policy));
    expect(await loadPolicy(file)).toEqual(policy);
  });

  it("never takes a file that it can't read for one that is missing", async () => {
    await expect(loadPolicy(dir)).rejects.toMatchObject({ code: "IsADirectory" });
    await writeFile(path.join(dir, "large.json"), " ".repeat(65_537));
    await expect(loadPolicy(path.join(dir, "large.json"))).rejects.toMatchObject({ code: "InvalidArgument" });
    await writeFile(path.join(dir, "empty.json"), "");
    await expect(loadPolicy(path.join(dir, "empty.json"))).rejects.toMatchObject({ code: "InvalidArgument" });
  });
});

describe("parsePolicy", () => {
  it.each<[string, string, RegExp]>([
    ["broken JSON", '{\n"scopes": [}', /not valid JSON/],
    ["no object", "[]", /object/],
    ["an unknown field", '{"root": ["/srv"]}', /unknown field "root"; a policy has scopes, roots, readOnly/],
    ["an unknown scope", '{"scopes": ["files:reed"]}', /scopes\.0: .*files:read/],
    [
      "a relative root",
      '{"scopes": ["files:read"], "roots": ["srv"]}',
      /roots\.0: expected a path that begins/,
    ],
    ["somebody else's home", '{"scopes": ["files:read"], "roots": ["~bob"]}', /roots\.0/],
    ["no root at all", '{"scopes": ["files:read"], "roots": []}', /roots/],
    ["a wrong type", '{"readOnly": "yes"}', /readOnly: .*boolean/],
    ["roots that would have to bind terminal", '{"roots": ["/srv"]}', /roots: .*"terminal"/],
    ["roots beside terminal", '{"scopes": ["terminal", "files:read"], "roots": ["/srv"]}', /"terminal"/],
  ])("refuses %s, and says where and why", (_, text, why) => {
    let thrown: unknown;
    try {
      parsePolicy(text, "/state/policy.json");
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({ code: "InvalidArgument", message: expect.stringMatching(why) });
    expect(thrown).toMatchObject({ message: expect.stringContaining("/state/policy.json") });
  });

  it.each(['{"scopes": ["files:read"], "roots": ["/srv"]}', '{"readOnly": true, "roots": ["~"]}', "{}"])(
    "accepts %s",
    (text) => {
      expect(parsePolicy(text, "policy.json")).toEqual(JSON.parse(text));
    },
  );
});

it.each([
  [{}, "terminal", undefined],
  [{ scopes: [] }, "files:read", "scopes"],
  [{ scopes: ["files:read" as const] }, "files:read", undefined],
  [{ scopes: ["files:read" as const] }, "files:write", "scopes"],
  [{ readOnly: true }, "terminal", "readOnly"],
  [{ readOnly: true }, "files:write", "readOnly"],
  [{ readOnly: true }, "agent", "readOnly"],
  [{ readOnly: true }, "files:read", undefined],
  [{ readOnly: true }, "machines:read", undefined],
  [{ readOnly: false }, "terminal", undefined],
] as const)("%j withholds %s by %s", (policy, scope, field) => {
  const { scopes, ...rest }: { scopes?: readonly "files:read"[]; readOnly?: boolean } = policy;
  const checked = scopes === undefined ? rest : { ...rest, scopes: [...scopes] };
  expect(withheldBy(checked, scope)).toBe(field);
});
