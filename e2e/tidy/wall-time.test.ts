import { expect, it } from "vitest";
import { isTest, SOURCES, withoutComments } from "./source-tree.ts";

/**
 * Where the time of day is right: it is shown, written down, signed, or held
 * against a time that somebody else has written down. Everything else takes how
 * long something lasts from `performance.now()`, which nobody sets back or forward.
 */
const TIME_OF_DAY: Readonly<Record<string, string>> = {
  "agent/src/approvals/approvals.ts":
    "when a question was asked, and until when it waits, as people are shown; a timer ends it",
  "agent/src/audit/call-record.ts": "when a record was made",
  "agent/src/audit/machine-audit.ts": "when a record was made, a head signed",
  "agent/src/files/tree/clean-up.ts": "how long ago an earlier agent began something",
  "agent/src/files/tree/mkdir.ts": "a directory's access time, where only its modification time is given",
  "agent/src/files/tree/symlink.ts": "a link's access time, where only its modification time is given",
  "agent/src/files/write/put.ts": "a file's access time, where only its modification time is given",
  "agent/src/files/unfinished/unfinished.ts": "when something was begun, for an agent of later: written down",
  "agent/src/jobs/losses.ts": "when state was set aside, in the name of its directory",
  "agent/src/jobs/jobs.ts": "when a job was started, as it is shown",
  "agent/src/loop/confirmations.ts": "until when a question waits, as people are shown; a timer ends it",
  "agent/src/loop/failure.ts": "until when a model's provider says to wait",
  "agent/src/services/health.ts": "what the machine's clock says, for whoever compares clocks",
  "cli/src/doctor/relay-checks.ts": "how far clocks differ, and when a key or certificate ends",
  "cli/src/console/log.ts": "when a line was written",
  "cli/src/owner/ledger.ts": "whether a grant has ended",
  "cli/src/owner/rotation.ts": "when an owner's key went, in the name of its file",
  "cli/src/home/profile.ts": "when the profile's key ends",
  "cli/src/console/time.ts": "what people call a moment",
  "proto/src/audit/chain-log.ts": "when a broken chain was set aside, in its name",
  "proto/src/credentials/clock.ts": "the clock itself, which is held against the time that has passed",
  "proto/src/transport/relay-tls.ts": "whether a certificate has ended",
  "relay/src/audit/call-recorder.ts": "when a record was made",
  "relay/src/audit/chains.ts": "when a copy was begun",
  "relay/src/audit/pull.ts": "when evidence was kept",
  "relay/src/audit/refusals.ts": "when a record was made",
  "relay/src/control/greet.ts": "what the relay's clock says, for error texts",
  "relay/src/control/key-uses.ts": "when a key was used last, as it is shown",
  "relay/src/control/services.ts": "when a machine was seen last, as it is shown",
  "relay/src/control/trust.ts": "when a machine was seen last or quarantined, as it is shown",
  "relay/src/identity/identity.ts": "when a certificate begins and ends",
  "sdk/src/audit/verify.ts": "when a head was kept",
  "sdk/src/connection/call-tokens.ts": "when a token was signed",
  "sdk/src/files/transfer/local-target.ts": "a file's access time, where only its modification time is given",
  "sdk/src/relay/kept-keys.ts": "whether a grant has ended",
  "sdk/src/relay/keys.ts": "when a grant was signed",
  "sdk/src/relay/machines.ts": "when a join token was signed",
  "sdk/src/relay/roster.ts": "when a roster was signed",
  "sdk/src/terminal/outage.ts": "since when a machine is away, as it is shown",
  "sdk/src/relay/rotate-owner.ts": "whether a grant has ended",
};

it("durations are never taken from the time of day", () => {
  const product = SOURCES.filter(
    (file) =>
      !["e2e", "bench", "examples", "scripts"].includes(file.folder) &&
      !isTest(file) &&
      !file.path.includes("/testing/"),
  );
  const using = product.filter(({ text }) => /\bDate\.now\b|new Date\(\)/.test(withoutComments(text)));
  const unlisted = using.map(({ path }) => path).filter((path) => !Object.hasOwn(TIME_OF_DAY, path));
  expect(unlisted, "Use performance.now(), or say in TIME_OF_DAY what the time of day is for there.").toEqual(
    [],
  );
  const gone = Object.keys(TIME_OF_DAY).filter((path) => !using.some((file) => file.path === path));
  expect(gone, "Take these out of TIME_OF_DAY: they use it no more.").toEqual([]);
});
