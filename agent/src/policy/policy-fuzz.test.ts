import { CmdopError, SCOPES } from "@cmdop/proto";
import fc from "fast-check";
import { expect, it } from "vitest";
import { authorize } from "./authorize.ts";
import { parsePolicy } from "./policy.ts";

/** Cases of this target: a tenth of CMDOP_TEST_FUZZ, whose default is 2,000. */
const CASES = Math.ceil(Number(process.env.CMDOP_TEST_FUZZ ?? 2_000) / 10);
const SEED = Number(process.env.CMDOP_TEST_SEED ?? Math.floor(Math.random() * 2 ** 32));
const TITLE = `${CASES} cases, CMDOP_TEST_SEED=${SEED}`;

const scopes = fc.oneof(
  fc.subarray([...SCOPES]),
  fc.array(fc.oneof(fc.constantFrom<string>(...SCOPES), fc.constantFrom("*", "root", "Terminal", "")), {
    maxLength: 4,
  }),
);
const roots = fc.array(
  fc.constantFrom("/srv", "~", "~/shared", "/", "srv", "../x", "~root", "", "/srv/../etc"),
  {
    maxLength: 3,
  },
);
const anyField = fc.constantFrom(
  "scope",
  "Roots",
  "readonly",
  "__proto__",
  "constructor",
  "jobs",
  "limits",
  "ask",
);

/** Policies as people write them, with the mistakes that they make. */
const written = fc.record({ scopes, roots, readOnly: fc.boolean() }, { requiredKeys: [] }).chain((policy) =>
  fc.oneof(
    { weight: 4, arbitrary: fc.constant(JSON.stringify(policy)) },
    fc
      .tuple(
        fc.oneof(anyField, fc.constantFrom("scopes", "roots", "readOnly")),
        fc.jsonValue({ maxDepth: 2 }),
      )
      .map(([name, value]) =>
        `${JSON.stringify(policy).slice(0, -1)},${JSON.stringify(name)}:${JSON.stringify(value)}}`.replace(
          "{,",
          "{",
        ),
      ),
    fc.nat(80).map((length) => JSON.stringify(policy).slice(0, length)),
  ),
);
const texts = fc.oneof(
  { weight: 6, arbitrary: written },
  fc.json(),
  fc.string(),
  fc.string({ unit: "binary" }),
);

it(`promise 5: a policy file is in force as it is written, or refused with its reason (${TITLE})`, () => {
  fc.assert(
    fc.property(texts, (text) => {
      const policy = parsed(text);
      if (policy === undefined) return;
      // Nothing that was written is lost: an unknown field is refused.
      const json: unknown = JSON.parse(text);
      expect(policy).toMatchObject({ ...(typeof json === "object" ? json : {}) });
      expect(Array.isArray(json)).toBe(false);
    }),
    { numRuns: CASES, seed: SEED | 0 },
  );
});

it(`promise 5: what a policy withholds the gate withholds, whatever was granted (${TITLE})`, () => {
  const asked = fc.constantFrom(
    ["/cmdop.v1.Exec/Start", "terminal"] as const,
    ["/cmdop.v1.Files/Read", "files:read"] as const,
    ["/cmdop.v1.Files/Write", "files:write"] as const,
    ["/cmdop.v1.Machine/Info", "machines:read"] as const,
  );
  const target = fc.constantFrom(
    "/srv/a",
    "/srv/../etc/passwd",
    "/etc/passwd",
    "~/shared/x",
    "~/.ssh/id",
    "/srvx",
  );
  fc.assert(
    fc.property(written, asked, target, (text, [method, scope], path) => {
      const policy = parsed(text);
      if (policy === undefined) return;
      const access = scope === "files:read" || scope === "files:write" ? [{ path, access: scope }] : [];
      const identity = {
        door: "relay",
        keyId: "k",
        keyName: "k",
        scopes: [...SCOPES],
        owner: false,
      } as const;
      const { kind } = authorize(identity, method, { paths: access }, policy, "/home/user");
      // The oracle reads the text of the file itself.
      const said: unknown = JSON.parse(text);
      const fields: Record<string, unknown> = typeof said === "object" && said !== null ? { ...said } : {};
      const withheld =
        (Array.isArray(fields.scopes) && !fields.scopes.includes(scope)) ||
        (fields.readOnly === true && ["terminal", "files:write"].includes(scope));
      if (withheld) expect(kind).toBe("deny");
      if (
        access.length > 0 &&
        Array.isArray(fields.roots) &&
        !fields.roots.some((root) => holds(String(root), path))
      ) {
        expect(kind).toBe("deny");
      }
    }),
    { numRuns: CASES, seed: SEED | 0 },
  );
});

/** Parses a policy; returns undefined if it is refused as it should be. */
function parsed(text: string) {
  try {
    return parsePolicy(text, "policy.json");
  } catch (thrown) {
    if (!(thrown instanceof CmdopError)) throw thrown;
    expect(thrown.code).toBe("InvalidArgument");
    expect(thrown.message).toContain("policy.json");
    return undefined;
  }
}

/** Returns true if a path lies in a root, with dots resolved by the URL parser. */
function holds(root: string, path: string): boolean {
  const plain = (text: string): string =>
    new URL(`file://${text.replace(/^~/, "/home/user")}`).pathname.replace(/\/$/, "");
  return plain(path) === plain(root) || plain(path).startsWith(`${plain(root)}/`);
}
