import { CmdopError, methodRule, RELAY_SERVICES_PREFIX } from "@cmdop/proto";
import { shown } from "../files/place/path.ts";
import { authorize, type Identity, STARTING_METHODS } from "./authorize.ts";
import type { Policy } from "./policy.ts";

/** A call that might be made. */
export interface ExplainQuestion {
  readonly method: string;
  /** Paths in the order of the method table. */
  readonly paths: readonly string[];
}

/** The machine's decision on such a call, with the reason. */
export type Explanation =
  | { readonly decision: "allow" | "ask"; readonly reason: string }
  | { readonly decision: "deny"; readonly error: CmdopError };

/**
 * Returns the decision of `authorize` on a call, with the rules behind it. It runs nothing and looks at no
 * file: links are checked only when the call itself runs.
 * @throws CmdopError InvalidArgument if the number of paths is not that of the method
 */
export function explain(
  identity: Identity,
  { method, paths }: ExplainQuestion,
  policy: Policy,
  home: string,
): Explanation {
  const fields = methodRule(method)?.paths ?? [];
  if (method.startsWith(RELAY_SERVICES_PREFIX)) {
    const error = new CmdopError(
      "Unimplemented",
      `${shown(method)} is a method of the relay, not of a machine.`,
    );
    return { decision: "deny", error };
  }
  if (methodRule(method) !== undefined && paths.length !== fields.length) {
    throw new CmdopError(
      "InvalidArgument",
      `${method} takes ${fields.length} paths (${fields.map(({ field }) => field).join(", ") || "none"}), not ${paths.length}.`,
      { next: "Name the paths of the call in this order." },
    );
  }
  const named = fields.map(({ access }, index) => ({ access, path: paths[index] ?? "" }));
  const resource = { paths: named, starts: "anything" } as const;
  const decision = authorize(identity, method, resource, policy, home);
  if (decision.kind === "deny") return { decision: "deny", error: decision.error };
  const passed = rulesOf(identity, method, policy);
  if (decision.kind === "allow") return { decision: "allow", reason: passed.join(" ") };
  const asked = `This machine's policy lets a person decide (ask: ${shown(decision.entry)}).`;
  return { decision: "ask", reason: [asked, ...passed].join(" ") };
}

/** Warning about keys that may write anywhere. */
const FULL_AUTHORITY =
  "(files:write without paths is the full authority of that user: it can write start-up files such as ~/.bashrc, ~/.ssh/authorized_keys and cron.)";

/** Returns the rules that a call has passed, in the order of the checks. */
function rulesOf({ keyId, keyName, scopes, paths }: Identity, method: string, policy: Policy): string[] {
  const rule = methodRule(method);
  const needed = rule?.scopes.join(" and ") ?? "";
  const local = keyId === "local";
  const who = local ? "The local socket" : `Key ${shown(keyName)}`;
  const has = scopes.length === 0 ? "no scope" : scopes.join(", ");
  const rules = [
    needed === "" ? `${method} is open to every valid key.` : `${method} needs ${needed}; ${who} has ${has}.`,
  ];
  const ceilings = [
    policy.readOnly === true ? "readOnly" : undefined,
    policy.scopes === undefined ? undefined : "scopes",
    local && policy.local !== undefined ? "local" : undefined,
  ].filter((field) => field !== undefined);
  rules.push(
    ceilings.length === 0
      ? "This machine's policy withholds no scope."
      : `This machine's policy does not withhold it (${ceilings.join(", ")}).`,
  );
  if (rule?.paths !== undefined) {
    const lists = [
      paths === undefined ? undefined : `the key's: ${paths.map(shown).join(", ")}`,
      policy.roots === undefined ? undefined : `the policy's: ${policy.roots.map(shown).join(", ")}`,
    ].filter((list) => list !== undefined);
    rules.push(
      lists.length === 0
        ? `Paths are limited only by the rights of the user that files calls run as.${rule.scopes.includes("files:write") ? ` ${FULL_AUTHORITY}` : ""}`
        : `The paths lie within the allowed directories (${lists.join("; ")}), judging by their names: links are checked when the call runs.`,
    );
  }
  if (policy.shells !== undefined && STARTING_METHODS.has(method)) {
    rules.push(`It may start ${policy.shells.map(shown).join(", ")} only (shells).`);
  }
  return rules;
}
