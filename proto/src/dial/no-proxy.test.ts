import { expect, it } from "vitest";
import { isExcepted, isHere } from "./no-proxy.ts";

it.each([
  ["*", "relay.example.com", true],
  ["example.com", "relay.example.com", true],
  ["example.com", "example.com", true],
  ["example.com", "notexample.com", false],
  [".example.com", "relay.example.com", true],
  ["*.example.com", "relay.EXAMPLE.com.", true],
  ["other.org, example.com", "relay.example.com", true],
  ["other.org example.com", "relay.example.com", true],
  ["example.com:7443", "relay.example.com", true],
  ["example.com:443", "relay.example.com", false],
  ["10.0.0.0/8", "10.200.3.4", true],
  ["10.0.0.0/8", "11.0.0.1", false],
  ["10.0.0.0/8", "::ffff:10.1.2.3", true],
  ["10.1.2.3", "10.1.2.3", true],
  ["10.1.2.3:7443", "10.1.2.3", true],
  ["10.1.2.3:443", "10.1.2.3", false],
  ["fd00::/8", "fd12::1", true],
  ["fd12::1", "fd12:0:0:0::1", true],
  ["[fd12::1]:7443", "fd12::1", true],
  ["[fd12::1]:443", "fd12::1", false],
  ["10.0.0.0/99", "10.0.0.1", false],
  ["10.0.0.0/", "10.0.0.0", false],
  ["10.0.0.0/8", "relay.example.com", false],
  ["bücher.example", "xn--bcher-kva.example", true],
  [",, ,", "relay.example.com", false],
  ["", "relay.example.com", false],
])("NO_PROXY=%s and %s: %s", (noProxy, host, expected) => {
  expect(isExcepted(noProxy, host, 7443)).toBe(expected);
});

it.each([
  ["localhost", true],
  ["LOCALHOST.", true],
  ["a.localhost", true],
  ["127.0.0.1", true],
  ["127.9.9.9", true],
  ["::1", true],
  ["::ffff:127.0.0.1", true],
  ["::", true],
  ["fe80::1%eth0", true],
  ["128.0.0.1", false],
  ["localhost.example.com", false],
  ["fe80::1", false],
])("%s is this machine, or a link of it: %s", (host, expected) => {
  expect(isHere(host)).toBe(expected);
});
