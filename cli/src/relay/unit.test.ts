import { expect, it } from "vitest";
import { homeOfUnit } from "../service/unit-words.ts";
import { relayUnitText } from "./unit.ts";

const PARTS = {
  program: "/node",
  main: "/main.js",
  command: ["relay", "--host", "::", "--port", "443"],
  home: "/h",
};

it("the relay's unit starts it by absolute paths, again and again, and names its home", () => {
  const text = relayUnitText({ scope: "system", ...PARTS });
  expect(text).toContain('\nExecStart="/node" "/main.js" "relay" "--host" "::" "--port" "443"\n');
  for (const line of ["Restart=always", "StartLimitIntervalSec=0", "ProtectSystem=full"]) {
    expect(text).toContain(`\n${line}\n`);
  }
  expect(homeOfUnit(text)).toBe("/h");
  expect(text).toContain("WantedBy=multi-user.target");
});

it("the relay's unit of a user asks for nothing that a user's systemd can't give", () => {
  const text = relayUnitText({ scope: "user", ...PARTS });
  expect(text).not.toMatch(/^(?:Protect|Private|AmbientCapabilities|Wants)/m);
  expect(text).toContain("WantedBy=default.target");
});
