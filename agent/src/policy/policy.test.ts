import { METHODS, SCOPES } from "@cmdop/proto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ASKABLE, askedBy } from "./ask.ts";
import { parsePolicy, withheldBy } from "./policy.ts";

describe("parsePolicy", () => {
  it.each<[string, string, RegExp]>([
    ["broken JSON", '{\n"scopes": [}', /not valid JSON/],
    ["a field that stands twice", '{"scopes": [], "scopes": ["terminal"]}', /"scopes" stands twice/],
    [
      "a field within a field that stands twice",
      '{"limits": {"maxJobMs": 1000, "maxJobMs": 9000}}',
      /"maxJobMs" stands twice/,
    ],
    ["no object", "[]", /object/],
    [
      "an unknown field",
      '{"root": ["/srv"]}',
      /unknown field "root"; a policy has scopes, local, roots, readOnly/,
    ],
    ["an unknown scope", '{"scopes": ["files:reed"]}', /scopes\.0: .*files:read/],
    [
      "a relative root",
      '{"scopes": ["files:read"], "roots": ["srv"]}',
      /roots\.0: expected a path that begins/,
    ],
    ["somebody else's home", '{"scopes": ["files:read"], "roots": ["~bob"]}', /roots\.0/],
    ["no root at all", '{"scopes": ["files:read"], "roots": []}', /roots/],
    ["a wrong type", '{"readOnly": "yes"}', /readOnly: .*boolean/],
    ["a shell by its name alone", '{"shells": ["bash"]}', /shells\.0: .*absolute path/],
    ["a user by number", '{"user": "0"}', /user: .*name of a user/],
    ["a user that looks like an option", '{"user": "-u"}', /user: /],
    [
      "a method that nobody can be asked about",
      '{"ask": ["/cmdop.v1.Jobs/Input"]}',
      /ask\.0: expected one of/,
    ],
    ["asking who may answer", '{"ask": ["approve"]}', /ask\.0/],
    ["ids forgotten before a caller gives up", '{"jobs": {"outcomeKeptMs": 900000}}', /outcomeKeptMs/],
    ["no time to answer", '{"askTimeoutMs": 0}', /askTimeoutMs/],
    ["a week to answer", '{"askTimeoutMs": 604800000}', /askTimeoutMs/],
    ["a text that would hide everything", '{"redact": ["p"]}', /redact\.0/],
    ["more jobs than the agent runs", '{"limits": {"maxRunningJobs": 5000}}', /limits\.maxRunningJobs/],
    ["an unknown limit", '{"limits": {"maxJobs": 1}}', /limits: unknown field "maxJobs"/],
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

  it.each([
    '{"shells": ["/bin/sh"], "user": "deploy", "ask": ["terminal", "/cmdop.v1.Files/Delete"], "askTimeoutMs": 1000}',
    '{"local": [], "redact": ["--password="], "limits": {"maxSessions": 0, "maxJobMs": 60000}}',
    '{"scopes": ["files:read"], "roots": ["/srv"]}',
    '{"readOnly": true, "roots": ["~"]}',
    "{}",
  ])("accepts %s", (text) => {
    expect(parsePolicy(text, "policy.json")).toEqual(JSON.parse(text));
  });
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

it("lets whatever runs something wait for a person, and nothing that is done to what runs already", () => {
  expect(ASKABLE).toEqual([
    "terminal",
    "files:read",
    "files:write",
    "agent",
    "/cmdop.v1.Exec/Start",
    "/cmdop.v1.Sessions/Create",
    "/cmdop.v1.Agent/Run",
    ...Object.keys(METHODS).filter((method) => method.startsWith("/cmdop.v1.Files/")),
  ]);
  for (const method of Object.keys(METHODS)) {
    const asked = askedBy([...SCOPES, ...Object.keys(METHODS)], method);
    expect(asked !== undefined, method).toBe(ASKABLE.includes(method));
  }
});

it("takes no text for a policy that is none, and never withholds less than it says", () => {
  const scopes = fc.subarray([...SCOPES]);
  const policy = fc.record(
    { scopes, local: scopes, readOnly: fc.boolean(), ask: fc.subarray([...ASKABLE]) },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(policy, fc.constantFrom(...SCOPES), fc.boolean(), (wanted, scope, local) => {
      const parsed = parsePolicy(JSON.stringify(wanted), "policy.json");
      expect(parsed).toEqual(wanted);
      if (withheldBy(parsed, scope, local) !== undefined) return;
      expect(wanted.scopes ?? SCOPES).toContain(scope);
      if (local) expect(wanted.local ?? SCOPES).toContain(scope);
      expect(wanted.readOnly === true && ["terminal", "files:write", "agent"].includes(scope)).toBe(false);
    }),
  );
  const anything = fc.oneof(
    fc.string(),
    fc.json(),
    fc
      .dictionary(fc.constantFrom("scopes", "user", "ask", "shells", "limits", "x"), fc.jsonValue())
      .map((value) => JSON.stringify(value)),
  );
  fc.assert(
    fc.property(anything, (text) => {
      try {
        parsePolicy(text, "policy.json");
      } catch (error) {
        expect(error).toMatchObject({
          code: "InvalidArgument",
          message: expect.stringContaining("policy.json"),
        });
      }
    }),
  );
});

describe("the environment of jobs", () => {
  const says = (environment: unknown) => () => parsePolicy(JSON.stringify({ environment }), "policy.json");

  it.each([
    [{ pass: ["CMDOP_API_KEY"] }, /environment\.pass\.0: CMDOP_\* and the keys of models/],
    [{ pass: ["CMDOP_*"] }, /the agent's own/],
    [{ pass: ["OPENAI_API_KEY"] }, /the agent's own/],
    [{ pass: ["*"] }, /NAME_\*/],
    [{ pass: ["A*B"] }, /NAME_\*/],
    [{ set: { ANTHROPIC_API_KEY: "k" } }, /environment\.set\.ANTHROPIC_API_KEY: CMDOP_\* and/],
    [{ set: { "A B": "k" } }, /letters, digits and _/],
    [{ set: { A: "a\0b" } }, /NUL/],
    [{ files: ["relative"] }, /absolute path/],
    [{ file: "/x" }, /unknown field "file"; it has pass, set, files, login/],
  ])("%j is refused", (environment, reason) => {
    expect(says(environment)).toThrow(reason);
  });

  it("names, values and files", () => {
    const environment = { pass: ["A", "B_*"], set: { C: "1\n2" }, files: ["/etc/x"], login: true };
    expect(says(environment)()).toEqual({ environment });
  });
});
