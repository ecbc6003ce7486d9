import { expect, it } from "vitest";
import { parseEnvironmentFile } from "./environment-file.ts";
import { parsePamEnvironment } from "./pam-environment.ts";

// Expected values were taken from pam_env 1.5.2, in the environment of `su -c env`.
it.each([
  ["A=plain", "plain"],
  ['A="quoted value"', "quoted value"],
  ["A='single # inside'", "single "],
  ['A="a#b"', "a"],
  ["A=a b c   ", "a b c   "],
  ["export A=six", "six"],
  ['A="un"balanced', 'un"balanced'],
  ['A=ends"', 'ends"'],
  ["  A=indented", "indented"],
  ["A=line \\\ncontinued", "line continued"],
  ['A="x" trailing', 'x" trailing'],
  ["A=$HOME/x", "$HOME/x"],
  ["A=", ""],
  ["A= lead", " lead"],
  [`A="in 'mix`, "in 'mix"],
  ['A="open', "open"],
  ["A = spaced", undefined],
  ["A-B=dash", undefined],
  ["=x", undefined],
  ["just words", undefined],
])("/etc/environment: %j", (line, expected) => {
  expect(parseEnvironmentFile(`# a comment\n${line}\n`)).toEqual(
    expected === undefined ? {} : { A: expected },
  );
});

it("a file of the operator's may come from elsewhere: carriage returns are no part of a value", () => {
  expect(parseEnvironmentFile("A=1\r\nB=2\r\n")).toEqual({ A: "1", B: "2" });
});

it("pam_env.conf: defaults, overrides and what they expand, as pam_env has it", () => {
  const account = { name: "bob", uid: 1, gid: 1, home: "/home/user", shell: "/bin/zsh" };
  // Written with % for $, because ${ would begin a template expression.
  const text = String.raw`# P0 DEFAULT=comment
P1 DEFAULT=bar
P2 DEFAULT="a b" OVERRIDE=%{P1}x
P3 DEFAULT=@{HOME}/x OVERRIDE=%{NOPE}
P4 OVERRIDE=\%{P1}
P5 DEFAULT=%{A1}
P6 DEFAULT=%{P5}z@{SHELL}@{PAM_USER}
P8 DEFAULT=v#nocomment
P9	DEFAULT=tab	OVERRIDE=`.replaceAll("%", "$");
  expect(parsePamEnvironment(text, account, { A1: "plain" })).toEqual({
    P1: "bar",
    P2: "barx",
    P3: "/home/user/x",
    P4: "$".concat("{P1}"),
    P5: "plain",
    P6: "plainz/bin/zshbob",
    P8: "v",
    P9: "tab",
  });
});
