import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, expect, it } from "vitest";
import { addonFile, loadAddon } from "./addon.ts";

const directory = mkdtempSync(path.join(os.tmpdir(), "cmdop-addon-"));
afterAll(() => rmSync(directory, { recursive: true }));

it("what is installed here is what the lockfile promised when the hashes were made", () => {
  expect(loadAddon(addonFile())).toHaveProperty("open");
});

it("an addon with one other byte is refused before any of it runs", () => {
  const forged = path.join(directory, "pty.node");
  copyFileSync(addonFile(), forged);
  const bytes = readFileSync(forged);
  bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
  writeFileSync(forged, bytes);
  expect(() => loadAddon(forged)).toThrowError(
    expect.objectContaining({ code: "AccessDenied", message: expect.stringContaining(forged) }),
  );
});

it("one for a platform without a known hash is refused", () => {
  expect(() => loadAddon(addonFile(), "")).toThrowError(expect.objectContaining({ code: "AccessDenied" }));
});
