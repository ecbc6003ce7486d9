import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CmdopError } from "../errors/cmdop-error.ts";
import { formatApiKey, parseApiKey } from "./api-key.ts";
import { generateKeyPair, keyPairOf } from "./ed25519.ts";
import { addressSchema, relayIdSchema } from "./fields.ts";

const key = generateKeyPair();
const relay = { id: generateKeyPair().id, address: "[2001:db8::1]:7443" };
const valid = formatApiKey({ key, relay });

/** Returns the error that parsing throws, if it does; any other kind of error fails the test. */
function refusal(text: string): CmdopError | undefined {
  try {
    parseApiKey(text);
    return undefined;
  } catch (thrown) {
    if (thrown instanceof CmdopError) return thrown;
    throw thrown;
  }
}

describe("parseApiKey", () => {
  it("a key cut off before its address is refused, wherever it was cut", () => {
    const bytes = Buffer.from(valid.slice(4), "base64url");
    for (let length = 0; length < 4 + Math.ceil((66 * 4) / 3); length++) {
      expect(refusal(valid.slice(0, length)), `the first ${length} of ${valid.length}`).toMatchObject({
        code: "Unauthenticated",
      });
    }
    expect(bytes.length).toBeGreaterThan(65);
  });

  it.each([
    ["nothing", ""],
    ["another prefix", valid.replace("cmd_", "key_")],
    ["a space inside", `${valid.slice(0, 20)} ${valid.slice(20)}`],
    ["a plus sign", `${valid.slice(0, 20)}+${valid.slice(21)}`],
    ["padding", `${valid}=`],
    ["an unknown version", `cmd_${Buffer.concat([Buffer.of(9), key.seed]).toString("base64url")}`],
    [
      "an address without a port",
      `cmd_${Buffer.concat([Buffer.of(2), key.seed, Buffer.from("a.example")]).toString("base64url")}`,
    ],
    [
      "a port that is none",
      `cmd_${Buffer.concat([Buffer.of(2), key.seed, Buffer.from("a.example:65536")]).toString("base64url")}`,
    ],
    [
      "a public relay without a public name",
      `cmd_${Buffer.concat([Buffer.of(2), key.seed, Buffer.from("localhost:443")]).toString("base64url")}`,
    ],
    [
      "an address that is not UTF-8",
      `cmd_${Buffer.concat([Buffer.of(2), key.seed, Buffer.of(0xff, 0xfe)]).toString("base64url")}`,
    ],
  ])("%s is refused, and the error says what to do", (_title, text) => {
    expect(refusal(text)).toMatchObject({
      code: "Unauthenticated",
      next: expect.stringMatching(/cmdop keys create/),
    });
  });

  it("mutated keys: a CmdopError that never repeats the key, or a key that is well formed (fuzz)", () => {
    fc.assert(
      fc.property(fc.nat(valid.length), fc.nat(4), fc.string({ maxLength: 4 }), (at, remove, insert) => {
        const text = valid.slice(0, at) + insert + valid.slice(at + remove);
        const error = refusal(text);
        if (error === undefined) {
          const { key: parsed, relay: target } = parseApiKey(text);
          expect(formatApiKey({ key: parsed, relay: target })).toBe(text.trim());
          return;
        }
        expect(error.code).toBe("Unauthenticated");
        for (let from = 4; from + 8 <= text.length; from++) {
          expect(`${error.message} ${error.next}`).not.toContain(text.slice(from, from + 8));
        }
      }),
      { numRuns: 500 },
    );
  });

  it("any string is parsed or refused with a CmdopError (fuzz)", () => {
    const anything = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.uint8Array({ maxLength: 120 }).map((bytes) => `cmd_${Buffer.from(bytes).toString("base64url")}`),
    );
    fc.assert(
      fc.property(anything, (text) => {
        refusal(text);
      }),
    );
  });
});

describe("formatApiKey", () => {
  it("round trip (fuzz)", () => {
    const seed = fc.uint8Array({ minLength: 32, maxLength: 32 });
    const port = fc.integer({ min: 1, max: 65_535 });
    const host = fc.oneof(
      fc.domain(),
      fc.ipV4(),
      fc.ipV6().map((address) => `[${address}]`),
    );
    fc.assert(
      fc.property(seed, seed, host, port, (seedBytes, idBytes, name, number) => {
        const address = `${name}:${number}`;
        fc.pre(addressSchema.safeParse(address).success);
        const target = { id: Buffer.from(idBytes).toString("base64url"), address };
        const parsed = parseApiKey(formatApiKey({ key: keyPairOf(seedBytes), relay: target }));
        expect(parsed.relay).toEqual(target);
        expect(Buffer.from(parsed.key.seed)).toEqual(Buffer.from(seedBytes));
      }),
    );
  });

  it("refuses what could not be read back", () => {
    const pair = { key, relay: { id: "relay.example.com", address: "10.0.0.1:443" } };
    expect(() => formatApiKey(pair)).toThrow(/public name/);
    expect(() => formatApiKey({ key, relay: { ...relay, address: "nowhere" } })).toThrow(CmdopError);
    expect(() => formatApiKey({ key, relay: { id: "localhost", address: "localhost:1" } })).toThrow(
      CmdopError,
    );
    expect(relayIdSchema.safeParse(relay.id).success).toBe(true);
  });
});
