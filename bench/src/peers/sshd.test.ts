import { existsSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { Sshd } from "./sshd.ts";

describe("the ssh peer", () => {
  it("runs commands warm and cold, and leaves nothing behind", async (context) => {
    const sshd = await Sshd.start();
    if (sshd === undefined) return context.skip("OpenSSH's server is not installed here");
    try {
      await sshd.warm("true");
      await sshd.cold("true");
      await expect(sshd.warm("exit 7")).rejects.toThrow("exit 7");
      await Promise.all(Array.from({ length: 16 }, () => sshd.warm("true")));
    } finally {
      await sshd[Symbol.asyncDispose]();
    }
    await expect(sshd.warm("true")).rejects.toThrow();
    expect(existsSync("/usr/sbin/sshd")).toBe(true);
  });
});
