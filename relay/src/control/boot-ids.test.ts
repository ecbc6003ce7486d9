import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BootIds } from "./boot-ids.ts";

/** Runs one hello from challenge to answer, with nothing in between. */
function hello(boots: BootIds, bootId: string, machine = "m"): string {
  return boots.note(machine, bootId, boots.moment());
}

describe("starts of one machine", () => {
  it("are restarts where each follows the other", () => {
    const boots = new BootIds();
    expect(["a", "a", "b", "b", "c"].map((boot) => hello(boots, boot))).toEqual(Array(5).fill("newest"));
    expect(hello(boots, "a", "other machine")).toBe("newest");
  });

  it("are two agents where one comes back behind another", () => {
    const boots = new BootIds();
    expect(["a", "b", "a"].map((boot) => hello(boots, boot))).toEqual(["newest", "newest", "cloned"]);
  });

  it("are two agents also where both were challenged at once, as soon as both come back", () => {
    const boots = new BootIds();
    const challenges = [boots.moment(), boots.moment()];
    expect(challenges.map((at, index) => boots.note("m", `boot ${index}`, at))).not.toContain("cloned");
    expect(["boot 0", "boot 1"].map((boot) => hello(boots, boot))).toContain("cloned");
  });

  it("a hello that was long on its way is stale, and no proof", () => {
    const boots = new BootIds();
    hello(boots, "a");
    const late = boots.moment();
    expect(hello(boots, "b")).toBe("newest");
    expect(boots.note("m", "a", late)).toBe("stale");
    expect(hello(boots, "b")).toBe("newest");
  });

  it("begin anew when their owner has decided", () => {
    const boots = new BootIds();
    for (const boot of ["a", "b", "a"]) hello(boots, boot);
    boots.forget("m");
    expect(hello(boots, "a")).toBe("newest");
  });

  it("of an honest machine are never taken for clones, however often it starts, whichever lanes return when, and however late a hello arrives", () => {
    const step = fc.oneof(
      { weight: 2, arbitrary: fc.constant({ kind: "dial" as const }) },
      { weight: 3, arbitrary: fc.nat().map((which) => ({ kind: "arrive" as const, which })) },
      { weight: 1, arbitrary: fc.constant({ kind: "restart" as const }) },
    );
    const steps = fc.array(step, { minLength: 1, maxLength: 200 });
    fc.assert(
      fc.property(steps, (actions) => {
        const boots = new BootIds();
        const onTheirWay: { readonly boot: number; readonly challengedAt: number }[] = [];
        let boot = 0;
        for (const action of actions) {
          // An agent answers while it lives; its answer arrives soon, or long after it has ended.
          if (action.kind === "dial") onTheirWay.push({ boot, challengedAt: boots.moment() });
          if (action.kind === "restart") boot += 1;
          if (action.kind !== "arrive" || onTheirWay.length === 0) continue;
          const [arrived] = onTheirWay.splice(action.which % onTheirWay.length, 1);
          if (arrived === undefined) continue;
          const verdict = boots.note("m", String(arrived.boot), arrived.challengedAt);
          expect(verdict).not.toBe("cloned");
          // Another hello of the same start may have been challenged later; only one of another start makes
          // it stale.
          if (arrived.boot === boot) expect(verdict).toBe("newest");
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it("of agents that live at once are taken for clones with the very hello that comes back behind another's", () => {
    const picks = fc.array(fc.nat({ max: 9 }), { minLength: 1, maxLength: 64 });
    fc.assert(
      fc.property(picks, (agents) => {
        const boots = new BootIds();
        for (const [at, agent] of agents.entries()) {
          const before = agents.slice(0, at);
          const isBack = before.slice(Math.max(0, before.indexOf(agent))).some((other) => other !== agent);
          const isKnown = before.includes(agent);
          expect(hello(boots, String(agent))).toBe(isKnown && isBack ? "cloned" : "newest");
          if (isKnown && isBack) return;
        }
      }),
    );
  });

  it("promise 9: of a clone that makes up new ones push nothing out that matters, and are bounded", () => {
    let atMs = 0;
    const boots = new BootIds(() => atMs);
    // This agent starts as fast as it likes; no honest machine starts so often.
    hello(boots, "genuine");
    const fast = Array.from({ length: 300 }, (_, made) => hello(boots, `made up ${made}`));
    expect(fast).toContain("cloned");
    // This agent starts slowly, while the genuine machine dials again after some seconds.
    boots.forget("m");
    const slow: string[] = [];
    for (let made = 0; made < 1_000 && !slow.includes("cloned"); made += 1) {
      if (made % 50 === 0) slow.push(hello(boots, "genuine"));
      atMs += 101;
      slow.push(hello(boots, `made up ${made}`));
    }
    expect(slow).toContain("cloned");
    // A crash loop that lasts for days is no clone.
    boots.forget("m");
    for (let start = 0; start < 5_000; start += 1) {
      atMs += 101;
      expect(hello(boots, `start ${start}`)).toBe("newest");
    }
  });
});
