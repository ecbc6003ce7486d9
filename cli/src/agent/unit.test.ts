import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { homeOfUnit } from "../service/unit-words.ts";
import { unitText } from "./unit.ts";

const PARTS = {
  program: "/opt/node/bin/node",
  main: "/opt/cmdop/cli/src/main.ts",
  home: "/home/user/.cmdop",
};

describe("the unit", () => {
  it("starts the agent by absolute paths, again and again, and lets it end its jobs itself", () => {
    const text = unitText({ scope: "system", ...PARTS });
    expect(text).toContain('\nExecStart="/opt/node/bin/node" "/opt/cmdop/cli/src/main.ts" "agent"\n');
    expect(text).toContain('\nEnvironment="CMDOP_HOME=/home/user/.cmdop"\n');
    for (const line of [
      "Restart=always",
      "KillMode=process",
      "Delegate=yes",
      "OOMPolicy=continue",
      "StartLimitIntervalSec=0",
    ]) {
      expect(text).toContain(`\n${line}\n`);
    }
    expect(text).toContain("WantedBy=multi-user.target");
    expect(text).not.toContain("CMDOP_RELAY");
  });

  it("sets nothing that jobs would inherit and break by, unless it is told that there are none", () => {
    const breaking =
      /^(?:NoNewPrivileges|RestrictSUIDSGID|Protect\w+|Private\w+|LockPersonality|SystemCall\w+|RestrictNamespaces)=/m;
    expect(unitText({ scope: "system", ...PARTS })).not.toMatch(breaking);
    const hardened = unitText({ scope: "system", ...PARTS, hardened: true });
    expect(hardened).toMatch(/^NoNewPrivileges=yes$/m);
    expect(hardened).toMatch(/^ProtectKernelModules=yes$/m);
    // A user's systemd lacks the privilege, and would not start it at all.
    expect(unitText({ scope: "user", ...PARTS, hardened: true })).not.toMatch(/^Protect/m);
  });

  it("of a user waits for no target that a user's systemd does not have", () => {
    const text = unitText({ scope: "user", ...PARTS, relay: "relay.example.com:7443" });
    expect(text).not.toContain("network-online");
    expect(text).toContain("WantedBy=default.target");
    expect(text).toContain('Environment="CMDOP_RELAY=relay.example.com:7443"');
  });

  it("names a file for variables that nobody else may read, in systemd's own way of writing it", () => {
    const text = unitText({ scope: "user", ...PARTS, environmentFile: "/a b/100%/[x]*/service.env" });
    expect(text).toContain(
      String.raw`
EnvironmentFile=-/a b/100%%/\[x]\*/service.env
`.replaceAll("\\\\", "\\"),
    );
    expect(text).toContain("\nSyslogIdentifier=cmdop-agent\n");
  });

  it("quotes what systemd would read otherwise, and its home can be read back", () => {
    const text = unitText({ scope: "user", ...PARTS, main: "/a b/$x/main.ts" });
    expect(text).toContain('"/a b/$$x/main.ts"');
    const odd = unitText({ scope: "user", ...PARTS, home: String.raw`/a%h"b\c` });
    expect(odd).toContain(String.raw`Environment="CMDOP_HOME=/a%%h\"b\\c"`);
    fc.assert(
      fc.property(fc.string(), (tail) => {
        fc.pre(!/\p{Cc}/u.test(tail));
        const home = `/home/${tail}`;
        expect(homeOfUnit(unitText({ scope: "user", ...PARTS, home }))).toBe(home);
      }),
    );
    expect(() => unitText({ scope: "user", ...PARTS, home: "/a\nExecStart=/bin/evil" })).toThrow(
      "systemd unit",
    );
    expect(homeOfUnit("[Service]\nExecStart=/bin/true\n")).toBeUndefined();
  });
});
