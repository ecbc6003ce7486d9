import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { nameSchema } from "./fields.ts";
import { checkNameByPattern, hostAsName, nameByPattern, namePatternSchema } from "./name-pattern.ts";

describe("a join token's name", () => {
  test.for([
    ["web-1", "shop.example", "web-1"],
    ["*", "shop.example", "shop.example"],
    ["fleet-*", "pi 4 (kitchen)", "fleet-pi-4-kitchen"],
    ["*.eu", "web", "web.eu"],
    ["*", "", "machine"],
    ["*", "---", "machine"],
    ["fleet-*", "x".repeat(300), `fleet-${"x".repeat(57)}`],
  ] as const)("%s on the host %s is %s", ([pattern, hostname, name]) => {
    expect(nameByPattern(pattern, hostname)).toBe(name);
  });

  it("keeps a number and both sides of the pattern, however long the host name is", () => {
    expect(nameByPattern("a-*-b", "h".repeat(300), 12)).toBe(`a-${"h".repeat(56)}-b-12`);
  });

  it("is a name for every pattern and host", () => {
    const pattern = fc
      .stringMatching(/^[a-z.*-]{0,70}$/)
      .filter((text) => namePatternSchema.safeParse(text).success);
    fc.assert(
      fc.property(pattern, fc.string(), fc.integer({ min: 1, max: 9_999 }), (text, hostname, number) => {
        const name = nameByPattern(text, hostname, number);
        expect(nameSchema.safeParse(name).success).toBe(true);
        expect(nameSchema.safeParse(hostAsName(hostname)).success).toBe(true);
        if (text.includes("*")) expect(() => checkNameByPattern(name, text, hostname)).not.toThrow();
      }),
    );
  });

  test.for(["", "**", "a*b*c", "-*", "*-", "a b"])("is not %j", (pattern) => {
    expect(namePatternSchema.safeParse(pattern).success).toBe(false);
  });

  test.for(["db", "fleet-db", "fleet-web-0", "fleet-web-02", "fleet-web-99999", "xfleet-web"])(
    "is not %s of a relay's own choice",
    (name) => {
      expect(() => checkNameByPattern(name, "fleet-*", "web")).toThrow(/allows only "fleet-web"/);
    },
  );
});
