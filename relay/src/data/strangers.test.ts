import { expect, it } from "vitest";
import { Strangers } from "./strangers.ts";

it("throws out the oldest of an address, then the oldest of all", () => {
  const strangers = new Strangers(3, 2);
  const gone: string[] = [];
  const add = (address: string, name: string) => strangers.add(address, () => gone.push(name));
  add("10.0.0.1", "a1");
  add("10.0.0.1", "a2");
  add("10.0.0.1", "a3");
  expect(gone).toEqual(["a1"]);
  add("10.0.0.2", "b1");
  add("10.0.0.3", "c1");
  expect(gone).toEqual(["a1", "a2"]);
  expect(strangers.size).toBe(3);
});

it("forgets whoever has become known, and counts a /64 as one address", () => {
  const strangers = new Strangers(10, 1);
  const gone: string[] = [];
  const known = strangers.add("2001:db8:1:2:3:4:5:6", () => gone.push("known"));
  known();
  strangers.add("2001:db8:1:2::1", () => gone.push("first"));
  strangers.add("2001:db8:1:2:ffff::", () => gone.push("second"));
  strangers.add("2001:db8:1:3::1", () => gone.push("other"));
  strangers.add("::1", () => gone.push("local"));
  strangers.add("::ffff:10.0.0.1", () => gone.push("mapped"));
  strangers.add("::ffff:10.0.0.2", () => gone.push("mapped too"));
  expect(gone).toEqual(["first"]);
});
