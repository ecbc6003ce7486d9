import { execFileSync } from "node:child_process";
import { appendFileSync, mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { isErrno } from "@cmdop/kit";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ofType, relayRecords } from "../testing/relay-records.ts";
import { refusal, until, World } from "../testing/world.ts";

/** True if a small disk can be mounted, which needs the right to do so. */
const canMount = (() => {
  const probe = mkdtempSync(path.join(os.tmpdir(), "cmdop-mount-"));
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", probe], { stdio: "ignore" });
    execFileSync("umount", [probe]);
    return true;
  } catch (thrown) {
    if (thrown instanceof Error) return false;
    throw thrown;
  } finally {
    rmSync(probe, { recursive: true });
  }
})();

let disk: string;

beforeEach(() => {
  disk = mkdtempSync(path.join(os.tmpdir(), "cmdop-disk-"));
  if (canMount) execFileSync("mount", ["-t", "tmpfs", "-o", "size=8m", "tmpfs", disk]);
});

afterEach(() => {
  vi.unstubAllEnvs();
  if (canMount) execFileSync("umount", [disk]);
  rmSync(disk, { recursive: true });
});

/** Writes until the disk is full; returns a function that frees the space again. */
function fill(): () => void {
  const filler = path.join(disk, "filler");
  for (const bytes of [64 * 1024, 4 * 1024, 1]) {
    try {
      for (;;) appendFileSync(filler, Buffer.alloc(bytes));
    } catch (thrown) {
      if (!isErrno(thrown, "ENOSPC")) throw thrown;
    }
  }
  return () => rmSync(filler);
}

describe("promise 8: nothing runs that can't be recorded", () => {
  it.skipIf(!canMount)(
    "on a full disk a call is refused with AuditUnavailable, owners and admins come in to repair, and then all goes on",
    async () => {
      vi.stubEnv("TMPDIR", disk);
      const errors: string[] = [];
      const quiet = () => undefined;
      await using world = await World.start({
        auditBounds: { relayChain: { reserveBytes: 64 * 1024 } },
        log: { info: quiet, warn: quiet, error: (event) => errors.push(event) },
      });
      const web = await world.agent("web-1");
      const [user, admin] = [
        world.caller(await world.key()),
        world.caller(await world.key({ scopes: ["files:read", "admin"] })),
      ];
      const owner = world.caller(world.owner);
      const info = async (caller = user) =>
        refusal(caller.files.info({ path: "/" }, { headers: await caller.headers("web-1") }));
      expect(await info()).toBe("no error");
      const makeRoom = fill();
      // The last page of a file still takes some records.
      await until(async () => (await info()) === "AuditUnavailable");
      const heard = web.calls.length;
      expect(await info()).toBe("AuditUnavailable");
      expect(web.calls.length).toBe(heard);
      expect(await info(admin)).toBe("no error");
      expect(await refusal(owner.machines.list({}, { headers: await owner.headers() }))).toBe("no error");
      // The space from the reserve is not for ordinary calls.
      expect(await info()).toBe("AuditUnavailable");
      expect(errors).toContain("audit record not written");
      makeRoom();
      await until(async () => (await info()) === "no error");
      await world.relay.shutdown();
      const records = relayRecords(world.stateDir);
      const begun = ofType(records, "begin").map(({ call }) => call);
      expect(
        ofType(records, "end")
          .map(({ call }) => call)
          .sort(),
      ).toEqual(begun.sort());
      const refused = ofType(records, "refused").filter(({ code }) => code === "AuditUnavailable");
      expect(refused.reduce((sum, { count }) => sum + count, 0)).toBeGreaterThanOrEqual(3);
    },
  );
});
