import { isVariable } from "./environment-file.ts";
import type { Account } from "./passwd.ts";

/** `NAME`, then options, each `KEY=value` or `KEY="value"`. */
const LINE = /^(\S+)(\s.*)?$/;
const OPTION = /\s(DEFAULT|OVERRIDE)=("(?:[^"]*)"|\S*)/g;

/**
 * Parses /etc/security/pam_env.conf: `NAME [DEFAULT=…] [OVERRIDE=…]` a line, with `${NAME}` for a variable
 * and `@{HOME}`, `@{SHELL}`, `@{PAM_USER}` for the user's. `before`: variables known already; no others are
 * expanded.
 */
export function parsePamEnvironment(
  text: string,
  { name: user, home, shell }: Account,
  before: Readonly<Record<string, string>>,
): Record<string, string> {
  const items: Readonly<Record<string, string>> = { HOME: home, SHELL: shell, PAM_USER: user };
  const variables: Record<string, string> = {};
  const expanded = (value: string): string =>
    value.replace(/\\([$@])|([$@])\{(\w+)\}/g, (_, escaped?: string, kind?: string, name = "") => {
      if (escaped !== undefined) return escaped;
      return (kind === "@" ? items[name] : (variables[name] ?? before[name])) ?? "";
    });
  for (const line of text.replace(/\\\n/g, " ").split("\n")) {
    const [, name = "", rest = ""] = LINE.exec(line.replace(/#.*$/, "").trim()) ?? [];
    const options = new Map(
      Array.from(rest.matchAll(OPTION), ([, key, value = ""]) => [key, expanded(value.replaceAll('"', ""))]),
    );
    const value = options.get("OVERRIDE") || options.get("DEFAULT");
    if (value && isVariable(name, value)) variables[name] = value;
  }
  return variables;
}
