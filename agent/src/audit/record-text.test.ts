import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { redactor } from "../policy/redact.ts";
import { recordText } from "./record-text.ts";

const NONE = redactor([]);
const sha256 = (text: string): string => createHash("sha256").update(text).digest("base64url");
const bytesOf = (text: string): number => Buffer.byteLength(JSON.stringify(text)) - 2;

describe("a text in a record", () => {
  it("is whole where it fits, and made visible", () => {
    expect(recordText("echo\na", { maxBytes: 300, redact: NONE })).toBe("echo\\na");
  });

  it("keeps its beginning and its end where it is too long, with length and hash of the whole", () => {
    const text = `begin ${"+".repeat(100_000)} && rm -rf /srv`;
    const recorded = recordText(text, { maxBytes: 1_000, redact: NONE });
    expect(recorded).toMatch(/^begin \+\+/);
    expect(recorded).toMatch(/\+\+ && rm -rf \/srv$/);
    expect(recorded).toContain(` more characters of ${text.length}, SHA-256 ${sha256(text)} `);
    const missing = Number(/and (\d+) more/.exec(recorded)?.[1]);
    expect(recorded.match(/\+/g)?.length).toBe(100_000 - missing);
  });

  it("two that differ in the middle alone have different records", () => {
    const text = (middle: string) => `${"a".repeat(5_000)}${middle}${"b".repeat(5_000)}`;
    const bounds = { maxBytes: 1_000, redact: NONE };
    expect(recordText(text("x"), bounds)).not.toBe(recordText(text("y"), bounds));
  });

  it("shows nothing of a secret that lies across a cut, nor a hash by which it could be guessed", () => {
    const redact = redactor(["--password="]);
    for (let before = 0; before < 1_000; before += 37) {
      for (const after of [0, 400, 3_000]) {
        const text = (secret: string) => `${"a".repeat(before)} --password=${secret} ${"b".repeat(after)}`;
        const secret = "S3cr3t".repeat(500);
        const recorded = recordText(text(secret), { maxBytes: 600, redact });
        expect(recorded).not.toContain("S3cr3t");
        expect(recorded).not.toContain(sha256(text(secret)));
        // The result does not depend on the secret.
        expect(recorded).toBe(recordText(text("another"), { maxBytes: 600, redact }));
      }
    }
  });

  it("promise 9: takes no more than its bound, whatever it is made of", () => {
    for (const unit of ["x", "\\\u0000", 'é"', "\u{1f600}", "\ud83d", "\u202e", "'"]) {
      for (const maxBytes of [300, 1_024, 14_336]) {
        const recorded = recordText(unit.repeat(50_000), { maxBytes, redact: NONE });
        expect(bytesOf(recorded)).toBeLessThanOrEqual(maxBytes);
        expect(bytesOf(recorded)).toBeGreaterThan(maxBytes - 40);
      }
    }
  });
});
