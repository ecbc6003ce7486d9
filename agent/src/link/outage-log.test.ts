import { CmdopError, LANES } from "@cmdop/proto";
import { beforeEach, expect, it } from "vitest";
import { OutageLog } from "./outage-log.ts";

const lost = new CmdopError("LinkLost", "The connection to the relay has ended.");
const unreachable = new CmdopError("RelayUnreachable", "refused");
const refused = new CmdopError("LinkRefused", "removed");

let lines: string[];
let outages: OutageLog;
beforeEach(() => {
  lines = [];
  const say = (event: string, fields: Readonly<Record<string, unknown>> = {}): void => {
    lines.push([event, fields.code].filter((word) => word !== undefined).join(" "));
  };
  outages = new OutageLog({ info: say, warn: say, error: say });
});

it("an outage of all lanes, however long, is one line, and its end another", () => {
  for (const lane of LANES) outages.up(lane);
  for (const lane of LANES) outages.failed(lane, lost);
  for (let attempt = 0; attempt < 100; attempt++) for (const lane of LANES) outages.failed(lane, unreachable);
  for (const lane of LANES) outages.up(lane);
  expect(lines).toEqual(["link up", "link down RelayUnreachable", "link up"]);
});

it("a loss that the next attempt mends is one line", () => {
  for (const lane of LANES) outages.up(lane);
  for (const lane of LANES) outages.failed(lane, lost);
  for (const lane of LANES) outages.up(lane);
  expect(lines).toEqual(["link up", "link was down"]);
});

it("a new reason is told, and so is a relay that welcomes and drops", () => {
  outages.failed("interactive", unreachable);
  outages.failed("interactive", refused);
  outages.up("interactive");
  outages.failed("interactive", lost);
  outages.failed("interactive", lost);
  expect(lines).toEqual([
    "link down RelayUnreachable",
    "link down LinkRefused",
    "link up",
    "link down LinkLost",
  ]);
});
