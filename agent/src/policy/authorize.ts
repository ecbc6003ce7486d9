import { CmdopError, type KeyId, methodRule, type PathScope, type Scope } from "@cmdop/proto";
import { expandPath, isWithin, shown } from "../files/place/path.ts";
import { askedBy } from "./ask.ts";
import type { Caller } from "./caller.ts";
import { type Policy, withheldBy } from "./policy.ts";
import { requireShell, type Starts } from "./shells.ts";

/** Who calls and what the owner granted, as a door has established it. */
export interface Identity {
  readonly door: Caller["door"];
  readonly keyId: KeyId | "local";
  readonly keyName: string;
  /** What the grant allows. */
  readonly scopes: readonly Scope[];
  /** The directories that the grant binds files to; absent means everywhere. */
  readonly paths?: readonly string[];
  /** Whether the key is one of the roster's owners. */
  readonly owner: boolean;
}

/** A path that a request names, and what is to be done to it. */
export interface PathAccess {
  readonly path: string;
  readonly access: PathScope;
}

/** What a call is about. */
export interface Resource {
  /** Those that the method table finds in the request. */
  readonly paths: readonly PathAccess[];
  /** What it starts; `anything` where that is not known yet and only who may is the question. */
  readonly starts?: Starts | "anything";
}

/** What the gate says. */
export type Decision =
  | { readonly kind: "allow"; readonly caller: Caller }
  /** It may run when a person has said yes. `entry`: by which entry of the policy's `ask`. */
  | { readonly kind: "ask"; readonly caller: Caller; readonly entry: string }
  | { readonly kind: "deny"; readonly error: CmdopError };

/** The methods that start a program. */
export const STARTING_METHODS: ReadonlySet<string> = new Set([
  "/cmdop.v1.Exec/Start",
  "/cmdop.v1.Sessions/Create",
]);

/**
 * The one gate: whether this caller may call this method on this resource. It
 * looks at names only; the files core looks again at what they lead to.
 */
export function authorize(
  identity: Identity,
  method: string,
  resource: Resource,
  policy: Policy,
  home: string,
): Decision {
  try {
    const caller = admitted(identity, method, resource, policy, home);
    const entry = askedBy(policy.ask, method);
    return entry === undefined ? { kind: "allow", caller } : { kind: "ask", caller, entry };
  } catch (thrown) {
    return { kind: "deny", error: CmdopError.from(thrown) };
  }
}

function admitted(
  identity: Identity,
  method: string,
  { paths, starts }: Resource,
  policy: Policy,
  home: string,
): Caller {
  const { door, keyId, keyName } = identity;
  const rule = methodRule(method);
  if (rule === undefined) {
    throw new CmdopError("Unimplemented", `There is no method ${shown(method)} that a caller may use.`);
  }
  if (rule.owner === true && !identity.owner) {
    throw new CmdopError("PermissionDenied", `${method} is for the owner; key ${shown(keyName)} is none.`, {
      next: "Use the owner key.",
    });
  }
  for (const scope of rule.scopes) requireScope(scope, identity, policy);
  if (paths.length !== (rule.paths ?? []).length) {
    throw new CmdopError(
      "InvalidArgument",
      `${method} does not name the paths that it is to be checked for.`,
    );
  }
  if (policy.shells !== undefined && STARTING_METHODS.has(method)) {
    if (starts === undefined) {
      throw new CmdopError("InvalidArgument", `${method} does not name the program that it starts.`);
    }
    if (starts !== "anything") requireShell(starts, policy.shells);
  }
  const granted = identity.paths?.map((root) => expandPath(root, home));
  const allowed = policy.roots?.map((root) => expandPath(root, home));
  for (const { path } of paths) {
    const asked = expandPath(path, home);
    if (granted !== undefined)
      requireWithin(asked, granted, "PermissionDenied", `key ${shown(keyName)} is granted`);
    if (allowed !== undefined)
      requireWithin(asked, allowed, "PolicyDenied", "the machine's policy allows (roots)");
  }
  const local = isLocal(identity);
  const scopes = identity.scopes.filter((scope) => withheldBy(policy, scope, local) === undefined);
  const roots = [granted, allowed].filter((list) => list !== undefined);
  return { door, keyId, keyName, scopes: new Set(scopes), roots };
}

/** Whether nothing but the socket's mode says who calls. */
function isLocal({ keyId }: Identity): boolean {
  return keyId === "local";
}

function requireScope(scope: Scope, identity: Identity, policy: Policy): void {
  const { scopes, keyName } = identity;
  if (!scopes.includes(scope)) {
    const has = scopes.length === 0 ? "no scope" : `only ${scopes.join(", ")}`;
    throw new CmdopError(
      "PermissionDenied",
      `Key ${shown(keyName)} lacks the scope ${scope}; it has ${has}.`,
      {
        next: `Ask the owner for a key with the scope ${scope}.`,
      },
    );
  }
  const local = isLocal(identity);
  const field = withheldBy(policy, scope, local);
  if (field === undefined) return;
  const who = local ? "The local socket gives" : `Key ${shown(keyName)} has`;
  throw new CmdopError(
    "PolicyDenied",
    `${who} the scope ${scope}, but this machine's policy withholds it (${field}).`,
  );
}

function requireWithin(
  path: string,
  roots: readonly string[],
  refusal: "PermissionDenied" | "PolicyDenied",
  whose: string,
): void {
  if (roots.some((root) => isWithin(path, root))) return;
  throw new CmdopError(
    refusal,
    `${shown(path)} is outside of what ${whose}: ${roots.map(shown).join(", ")}.`,
    {
      next:
        refusal === "PermissionDenied"
          ? "Use a path inside, or ask the owner for a key with that path."
          : undefined,
    },
  );
}
