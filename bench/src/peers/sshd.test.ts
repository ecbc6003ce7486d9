import { existsSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { Sshd } from "./sshd.ts";

describe("the ssh peer", () => {
  it("runs commands warm and cold, and leaves nothing behind", async () => {
    const sshd = await Sshd.start();
    expect(sshd !== undefined).toBe(existsSync("/usr/sbin/sshd"));
    // Without OpenSSH's server there is no peer, and the benchmark's rows say so.
    if (sshd === undefined) return;
    try {
      await sshd.warm("true");
      await sshd.cold("true");
      await expect(sshd.warm("exit 7")).rejects.toThrow("exit 7");
      await Promise.all(Array.from({ length: 16 }, () => sshd.warm("true")));
    } finally {
      await sshd[Symbol.asyncDispose]();
    }
    await expect(sshd.warm("true")).rejects.toThrow();
  });
});
