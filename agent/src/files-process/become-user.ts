import { isErrno } from "@cmdop/kit";
import type { ProcessUser } from "./told.ts";

/**
 * Gives this process, which is root's, to a user, with that user's groups, for
 * good. After all its sources are loaded: the user need not be able to read them.
 * The system lets nobody look into a process that has done this, so other
 * processes of the same user can't take it over. @throws Error where root's rights are not gone
 */
export function becomeUser({ name, uid, gid }: ProcessUser): void {
  const { setgid, setuid, getuid, geteuid, getgid, getegid } = process;
  // Its types don't know of it.
  const initgroups: unknown = Reflect.get(process, "initgroups");
  if (typeof initgroups !== "function" || !setgid || !setuid || !getuid || !geteuid || !getgid || !getegid) {
    throw new Error("files can't be worked on as another user here");
  }
  Reflect.apply(initgroups, process, [name, gid]);
  setgid(gid);
  setuid(uid);
  const isUser = getuid() === uid && geteuid() === uid;
  const isGroup = getgid() === gid && getegid() === gid;
  if (isUser && isGroup && (uid === 0 || !canReturn(setuid))) return;
  throw new Error(`the process did not become ${name}`);
}

function canReturn(setuid: (id: number) => void): boolean {
  try {
    setuid(0);
    return true;
  } catch (thrown) {
    if (isErrno(thrown, "EPERM")) return false;
    throw thrown;
  }
}
