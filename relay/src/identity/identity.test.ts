import { X509Certificate } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { relayIdOf } from "@cmdop/proto";
import { afterEach, expect, it, vi } from "vitest";
import { createCa, createLeaf } from "./certificates.ts";
import { ownIdentity } from "./identity.ts";

afterEach(() => vi.useRealTimers());

const DAY_MS = 24 * 60 * 60 * 1000;

it("issues certificates that OpenSSL reads as they were meant", () => {
  const from = new Date("2026-01-01T00:00:00Z");
  const ca = createCa("a CA", from, new Date("2056-01-01T00:00:00Z"));
  const hosts = ["localhost", "127.0.0.1", "::1", "2001:db8::7", "::ffff:10.0.0.1", "relay.example.com"];
  const { certificate, privateKey } = createLeaf(ca, "a leaf", hosts, from, new Date("2026-04-01T00:00:00Z"));
  expect(ca.certificate).toMatchObject({ ca: true, subject: "CN=a CA", issuer: "CN=a CA" });
  expect(ca.certificate.validTo).toBe("Jan  1 00:00:00 2056 GMT");
  expect(ca.certificate.verify(ca.certificate.publicKey)).toBe(true);
  expect(certificate).toMatchObject({ ca: false, subject: "CN=a leaf", issuer: "CN=a CA" });
  expect(certificate.validTo).toBe("Apr  1 00:00:00 2026 GMT");
  expect(certificate.checkIssued(ca.certificate)).toBe(true);
  expect(certificate.verify(ca.certificate.publicKey)).toBe(true);
  expect(certificate.checkPrivateKey(privateKey)).toBe(true);
  for (const host of hosts) {
    expect([host, certificate.checkHost(host) ?? certificate.checkIP(host)]).not.toEqual([host, undefined]);
  }
  expect(certificate.checkHost("other.example.com")).toBeUndefined();
});

it("replaces a leaf near its end, under the same id", async () => {
  const dir = await mkdtemp(join(tmpdir(), "cmdop-relay-"));
  const identity = await ownIdentity(dir, ["relay.example.com"]);
  const leaf = async () => {
    const { cert } = await identity.secureContext();
    const [first = "", second = ""] = String(cert).split(/(?=-----BEGIN)/);
    return { first: new X509Certificate(first), ca: new X509Certificate(second) };
  };
  const { first, ca } = await leaf();
  expect((await leaf()).first.serialNumber).toBe(first.serialNumber);
  vi.useFakeTimers({ now: Date.now() + 61 * DAY_MS, toFake: ["Date"] });
  const renewed = await leaf();
  expect(renewed.first.serialNumber).not.toBe(first.serialNumber);
  expect(renewed.ca.fingerprint256).toBe(ca.fingerprint256);
  expect(renewed.first.checkIssued(ca)).toBe(true);
  expect(relayIdOf(renewed.ca)).toBe(identity.id);
  await rm(dir, { recursive: true });
});
