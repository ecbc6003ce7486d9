import { describe, expect, it } from "vitest";
import { lineArguments, lineShellOf, PLAIN_SHELLS, shellNamed } from "./line-shell.ts";

describe("what runs a line", () => {
  it.each([
    ["the user's own", "/bin/bash", true, undefined, "/bin/bash"],
    ["wherever that is", "/opt/homebrew/bin/zsh", true, undefined, "/opt/homebrew/bin/zsh"],
    ["a restricted one, which stays so", "/bin/rbash", true, undefined, "/bin/rbash"],
    ["sh, where the user's own is gone", "/bin/zsh", false, undefined, "/bin/sh"],
    ["sh, where the user's own takes no such lines", "/usr/bin/fish", true, undefined, "/bin/sh"],
    ["sh, for csh", "/bin/tcsh", true, undefined, "/bin/sh"],
    ["sh, for an account without a shell", "/usr/sbin/nologin", true, undefined, "/bin/sh"],
    ["the user's own, where the policy lists it", "/bin/bash", true, ["/bin/bash"], "/bin/bash"],
    ["sh, where the policy lists that alone", "/bin/bash", true, ["/bin/sh"], "/bin/sh"],
    ["nothing, where the policy lists neither", "/bin/bash", true, ["/usr/bin/git"], undefined],
  ] as const)("is %s", (_, shell, isUsable, allowed, expected) => {
    expect(lineShellOf(shell, isUsable, allowed)).toBe(expected);
  });
});

describe("a shell that a call names", () => {
  const own = { ...PLAIN_SHELLS, shell: "/opt/bin/zsh", lineShell: "/opt/bin/zsh" };
  const bound = { ...own, allowedShells: ["/usr/bin/zsh", "/bin/sh"], lineShell: "/bin/sh" };
  it.each([
    ["", own, "/opt/bin/zsh"],
    ["/bin/fish", own, "/bin/fish"],
    ["sh", own, "/bin/sh"],
    ["zsh", own, "/opt/bin/zsh"],
    ["bash", own, "bash"],
    ["zsh", bound, "/usr/bin/zsh"],
    ["bash", bound, "bash"],
  ] as const)("%j", (named, shells, expected) => {
    expect(shellNamed(named, shells)).toBe(expected);
  });

  it("is given its line so that one that begins with a dash is a line", () => {
    expect(lineArguments("/bin/zsh", "-x")).toEqual(["/bin/zsh", "-c", "--", "-x"]);
    expect(lineArguments("/usr/bin/fish", "ls")).toEqual(["/usr/bin/fish", "-c", "ls"]);
  });
});
