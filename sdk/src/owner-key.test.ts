import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { generateKeyPair } from "@cmdop/proto";
import { afterEach, beforeEach, expect, it } from "vitest";
import { parseRelayTarget, readOwnerKey } from "./owner-key.ts";

let directory: string;
let file: string;
beforeEach(() => {
  directory = mkdtempSync(path.join(os.tmpdir(), "cmdop-owner-"));
  file = path.join(directory, "owner.key");
});
afterEach(() => rmSync(directory, { recursive: true }));

it("reads the key that a file holds", () => {
  const key = generateKeyPair();
  writeFileSync(file, `${Buffer.from(key.seed).toString("base64url")}\n`, { mode: 0o600 });
  expect(readOwnerKey(file).id).toBe(key.id);
});

it("promise 10: refuses what is missing, damaged or open to others, says what to do, and quotes nothing", () => {
  const refused = () => {
    try {
      return readOwnerKey(file);
    } catch (thrown) {
      return thrown;
    }
  };
  expect(refused()).toMatchObject({ code: "InvalidArgument", next: expect.stringContaining("cmdop init") });
  writeFileSync(file, "c2VjcmV0", { mode: 0o600 });
  expect(refused()).toMatchObject({ code: "InvalidArgument" });
  expect(String(refused())).not.toContain("c2VjcmV0");
  chmodSync(file, 0o644);
  expect(refused()).toMatchObject({
    code: "AccessDenied",
    next: expect.stringContaining(`chmod 600 ${file}`),
  });
});

it("reads where a relay is", () => {
  const { id } = generateKeyPair();
  expect(parseRelayTarget(`${id}@relay.example:7443`)).toEqual({ id, address: "relay.example:7443" });
  for (const text of ["relay.example:7443", `${id}@`, `@relay.example:1`, `${id}@relay.example`]) {
    expect(() => parseRelayTarget(text)).toThrow(expect.objectContaining({ code: "InvalidArgument" }));
  }
});
