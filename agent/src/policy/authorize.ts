import { CmdopError, type KeyId, methodRule, type PathScope, type Scope } from "@cmdop/proto";
import { expandPath, isWithin, shown } from "../files/place/path.ts";
import { askedBy } from "./ask.ts";
import type { Caller } from "./caller.ts";
import { type Policy, withheldBy } from "./policy.ts";
import { requireShell, type Starts } from "./shells.ts";

/** A caller's identity and grant, as a door has established them. */
export interface Identity {
  readonly door: Caller["door"];
  readonly keyId: KeyId | "local";
  readonly keyName: string;
  /** Scopes of the grant. */
  readonly scopes: readonly Scope[];
  /** Directories to which the grant limits files. Absent means everywhere. */
  readonly paths?: readonly string[];
  /** True if the key is one of the roster's owners. */
  readonly owner: boolean;
}

/** A path in a request, and the access to it that the call needs. */
export interface PathAccess {
  readonly path: string;
  readonly access: PathScope;
}

/** The objects of a call, as far as the gate needs them. */
export interface Resource {
  /** Paths that the method table finds in the request. */
  readonly paths: readonly PathAccess[];
  /**
   * The programs that it starts; `anything` where they are not known yet and only the caller's right is in
   * question.
   */
  readonly starts?: Starts | "anything";
}

/** The gate's decision. */
export type Decision =
  | { readonly kind: "allow"; readonly caller: Caller }
  /**
   * The call may run when a person has approved it. `entry`: the entry of the policy's `ask` that demands
   * this.
   */
  | { readonly kind: "ask"; readonly caller: Caller; readonly entry: string }
  | { readonly kind: "deny"; readonly error: CmdopError };

/** The methods that start a program. */
export const STARTING_METHODS: ReadonlySet<string> = new Set([
  "/cmdop.v1.Exec/Start",
  "/cmdop.v1.Sessions/Create",
]);

/**
 * Decides whether this caller may call this method on this resource; there is no other gate. It checks names
 * only: the files core checks again where links lead.
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
    throw new CmdopError(
      "PermissionDenied",
      `${method} is for the owner only, and key ${shown(keyName)} is not an owner's.`,
      {
        next: "Use the owner key.",
      },
    );
  }
  for (const scope of rule.scopes) requireScope(scope, identity, policy);
  if (paths.length !== (rule.paths ?? []).length) {
    throw new CmdopError("InvalidArgument", `${method} does not name the paths that must be checked.`);
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

/** True for a caller of the local socket without a token: only the socket's mode identifies it. */
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
