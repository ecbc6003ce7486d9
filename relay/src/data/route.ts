import {
  CmdopError,
  checkCallTokenAudience,
  type MachineIdentity,
  type MethodRule,
  RELAY_SERVICES_PREFIX,
  selects,
} from "@cmdop/proto";
import type { AuthenticatedCaller } from "./authenticate.ts";
import type { Directory } from "./directory.ts";

/** Machine names in one error message: enough to choose from, and it must fit into trailers. */
const MAX_NAMES_SHOWN = 20;

/** Where a call goes. */
export type Destination =
  | { readonly kind: "relay" }
  | { readonly kind: "machine"; readonly machine: MachineIdentity };

/** The machines that a caller may know of, sorted by name. An owner reaches all. */
export function visibleMachines(
  directory: Directory,
  caller: Pick<AuthenticatedCaller, "grant">,
): readonly MachineIdentity[] {
  return directory.machines().filter((machine) => mayReach(caller, machine));
}

/**
 * Decides whether an authenticated caller may make this call, as far as the
 * relay can see it, and where it goes. A machine that the caller may not reach
 * is as unknown to it as one that does not exist.
 */
export function route(
  directory: Directory,
  caller: AuthenticatedCaller,
  path: string,
  rule: MethodRule,
  machineCalled: string | undefined,
): Destination {
  if (rule.owner === true && caller.grant !== undefined) {
    throw new CmdopError("PermissionDenied", `${path} is for owners alone.`, {
      next: "Call it with the owner's key.",
    });
  }
  const missing = rule.scopes.filter((scope) => !caller.scopes.includes(scope));
  if (missing.length > 0) {
    throw new CmdopError(
      "PermissionDenied",
      `${path} needs the scope ${missing.join(" and ")}; this key has ${caller.scopes.join(", ")}.`,
    );
  }
  if (path.startsWith(RELAY_SERVICES_PREFIX)) {
    checkCallTokenAudience(caller.token, directory.relayId, []);
    return { kind: "relay" };
  }
  const machine = machineFor(directory, caller, machineCalled);
  checkCallTokenAudience(caller.token, directory.relayId, [machine.id, machine.name]);
  const quarantinedSinceMs = directory.quarantinedSinceMs(machine.id);
  if (quarantinedSinceMs !== undefined) {
    throw new CmdopError(
      "MachineQuarantined",
      `The machine ${machine.name} is quarantined since ${new Date(quarantinedSinceMs).toISOString()}: two agents have used its key, and nobody can tell which of them is the machine.`,
    );
  }
  return { kind: "machine", machine };
}

function machineFor(
  directory: Directory,
  caller: AuthenticatedCaller,
  machineCalled: string | undefined,
): MachineIdentity {
  if (machineCalled === undefined) {
    const names = visibleMachines(directory, caller).map(({ name }) => name);
    const shown = names.slice(0, MAX_NAMES_SHOWN).join(", ") + (names.length > MAX_NAMES_SHOWN ? ", …" : "");
    throw new CmdopError(
      "MachineRequired",
      `The call names no machine. This key reaches ${shown || "none"}.`,
    );
  }
  const candidates = directory.machinesCalled(machineCalled).filter((machine) => mayReach(caller, machine));
  const [machine, namesake] = candidates;
  if (machine === undefined) {
    throw new CmdopError(
      "MachineUnknown",
      `This key reaches no machine that is called ${JSON.stringify(machineCalled)}.`,
    );
  }
  if (namesake !== undefined) {
    const ids = candidates.slice(0, MAX_NAMES_SHOWN).map(({ id }) => id);
    throw new CmdopError(
      "MachineAmbiguous",
      `${candidates.length} machines are called ${JSON.stringify(machineCalled)}: ${ids.join(", ")}.`,
    );
  }
  return machine;
}

function mayReach({ grant }: Pick<AuthenticatedCaller, "grant">, machine: MachineIdentity): boolean {
  return grant === undefined || selects(grant.claims.machines, machine);
}
