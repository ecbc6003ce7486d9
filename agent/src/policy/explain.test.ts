import { METHODS, SCOPES } from "@cmdop/proto";
import { describe, expect, it } from "vitest";
import type { Identity } from "./authorize.ts";
import { explain } from "./explain.ts";
import type { Policy } from "./policy.ts";

const KEY: Identity = {
  door: "relay",
  keyId: "k",
  keyName: "ci",
  scopes: ["files:read", "terminal"],
  owner: false,
};
const LOCAL: Identity = { door: "local", keyId: "local", keyName: "local", scopes: SCOPES, owner: false };
const EXEC = "/cmdop.v1.Exec/Start";
const READ = "/cmdop.v1.Files/Read";

function asked(identity: Identity, method: string, paths: string[], policy: Policy) {
  return explain(identity, { method, paths }, policy, "/home/u");
}

describe("explain", () => {
  it("names the rules that a call has passed", () => {
    expect(asked(KEY, EXEC, [], {})).toEqual({
      decision: "allow",
      reason:
        '/cmdop.v1.Exec/Start needs terminal; Key "ci" has files:read, terminal. This machine\'s policy withholds no scope.',
    });
    const bound = asked({ ...KEY, paths: ["/srv"] }, READ, ["/srv/x"], {
      scopes: ["files:read"],
      roots: ["/"],
    });
    expect(bound).toMatchObject({ decision: "allow", reason: expect.stringContaining('the key\'s: "/srv"') });
    expect(bound).toMatchObject({ reason: expect.stringContaining("does not withhold it (scopes)") });
    expect(asked(LOCAL, EXEC, [], { local: ["terminal"], shells: ["/bin/sh"] })).toMatchObject({
      decision: "allow",
      reason: expect.stringMatching(/\(local\).*"\/bin\/sh" only \(shells\)/),
    });
  });

  it("says what files:write without paths amounts to", () => {
    const key = { ...KEY, scopes: ["files:write"] as const };
    const write = "/cmdop.v1.Files/Write";
    expect(asked(key, write, ["/srv/x"], {})).toMatchObject({
      reason: expect.stringMatching(/without paths is the full authority of that user/),
    });
    const binding: [Identity, Policy][] = [
      [{ ...key, paths: ["/srv"] }, {}],
      [key, { roots: ["/srv"] }],
    ];
    for (const [bound, policy] of binding) {
      expect(asked(bound, write, ["/srv/x"], policy)).toMatchObject({
        reason: expect.not.stringContaining("full authority"),
      });
    }
  });

  it("says that a person decides", () => {
    expect(asked(KEY, EXEC, [], { ask: ["terminal"] })).toMatchObject({
      decision: "ask",
      reason: expect.stringContaining('ask: "terminal"'),
    });
  });

  it.each<[string, Identity, string, string[], Policy, string]>([
    ["a scope that is missing", { ...KEY, scopes: [] }, EXEC, [], {}, "PermissionDenied"],
    ["a scope that is withheld", KEY, EXEC, [], { readOnly: true }, "PolicyDenied"],
    ["the ceiling of the local socket", LOCAL, EXEC, [], { local: [] }, "PolicyDenied"],
    ["a path outside", { ...KEY, paths: ["/srv"] }, READ, ["/etc"], {}, "PermissionDenied"],
    ["a method that is none", KEY, "/cmdop.v1.Exec/Nope", [], {}, "Unimplemented"],
    ["a method of the relay's", KEY, "/cmdop.relay.v1.Machines/List", [], {}, "Unimplemented"],
  ])("denies for %s, as the call would be", (_, identity, method, paths, policy, code) => {
    expect(asked(identity, method, paths, policy)).toMatchObject({ decision: "deny", error: { code } });
  });

  it("asks for the paths that the method has", () => {
    expect(() => asked(KEY, READ, [], {})).toThrow(/takes 1 paths \(path\), not 0/);
    expect(() => asked(KEY, EXEC, ["/x"], {})).toThrow(/takes 0 paths \(none\), not 1/);
  });

  it("has an answer for every method of a machine", () => {
    for (const [method, rule] of Object.entries(METHODS)) {
      const { decision } = asked(
        LOCAL,
        method,
        (rule.paths ?? []).map(() => "/x"),
        {},
      );
      expect(decision, method).toBe(method.startsWith("/cmdop.relay.v1.") ? "deny" : "allow");
    }
  });
});
