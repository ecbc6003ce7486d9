import { AsyncLocalStorage } from "node:async_hooks";
import fs, { readlinkSync } from "node:fs";
import promises, { open } from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { devNull } from "node:os";
import { KeyPlaces } from "./key-places.ts";
import { DISK_THREADS_PER_KEY } from "./limits.ts";

/** For whom operations are. */
export interface Account {
  /** Whose share of the threads they take. */
  readonly key: string;
  /** It finds out whether a mount answers: it is not refused. */
  readonly isProbe?: boolean;
  /** Told when one of its operations is stuck; the operation itself can't be ended. */
  readonly onStuck?: (error: Error) => void;
}

/** An operation that a thread is at work on. */
export interface Operation {
  readonly account: Account;
  /** What it works on; not free of links where nobody has looked at them yet. Undefined where it does not say. */
  path(): string | undefined;
  readonly begunAtMs: number;
  /** It is not waited for any more, and takes nothing of its key's share. */
  isStuck: boolean;
}

/** Functions whose first argument is a path (and sometimes the second: the first that hangs is named). */
const FUNCTIONS = [
  "access",
  "chmod",
  "lchown",
  "link",
  "lstat",
  "lutimes",
  "mkdir",
  "open",
  "opendir",
  "readlink",
  "realpath",
  "rename",
  "rmdir",
  "stat",
  "statfs",
  "symlink",
  "unlink",
  "utimes",
] as const;

const HANDLE_METHODS = [
  "chmod",
  "chown",
  "datasync",
  "read",
  "stat",
  "sync",
  "truncate",
  "utimes",
  "write",
] as const;

/** The agent's own: what belongs to no call. */
const OWN: Account = { key: "" };

/**
 * All that this process asks of disks. From `install` on every function of
 * `node:fs` that takes a thread goes through here, whoever calls it: nothing in
 * the files core can forget to. So it is known what each thread is at work on and
 * for whom, no key has more than its share of them, and what would only hang is
 * refused before it takes one.
 */
export class DiskOperations {
  readonly #accounts = new AsyncLocalStorage<Account>();
  readonly #running = new Set<Operation>();
  readonly #shares = new KeyPlaces(DISK_THREADS_PER_KEY);
  /** Throws for a path that is not to be touched; undefined while there is none. */
  refuse: ((path: string) => void) | undefined;

  get running(): ReadonlySet<Operation> {
    return this.#running;
  }

  /** Runs a piece of work; what it asks of disks, then and later, is for that account. */
  run<T>(account: Account, work: () => T): T {
    return this.#accounts.run(account, work);
  }

  /** An operation that does not come back is nobody's any more: its key may begin others. */
  giveUp(operation: Operation, error: Error): void {
    if (operation.isStuck) return;
    operation.isStuck = true;
    this.#shares.leave(operation.account.key);
    operation.account.onStuck?.(error);
  }

  /** For the whole process, and once: it changes `node:fs`. */
  async install(): Promise<void> {
    for (const name of FUNCTIONS) this.#watch(promises, name, pathOf);
    this.#watchCallbacks("open", pathOf);
    this.#watchCallbacks("fstat", pathOfDescriptor);
    const directory = await promises.opendir("/");
    this.#watch(Object.getPrototypeOf(directory), "read", pathOfDirectory);
    await directory.close();
    const handle = await open(devNull);
    for (const name of HANDLE_METHODS) this.#watch(Object.getPrototypeOf(handle), name, pathOfHandle);
    await handle.close();
    syncBuiltinESMExports();
  }

  /** Puts a function in the place of one that gives a promise. */
  #watch(owner: object, name: string, pathOf: PathOf): void {
    const original: unknown = Reflect.get(owner, name);
    if (typeof original !== "function") throw new TypeError(`node:fs has no ${name}`);
    const watched = new Proxy(original, {
      apply: (_, self, args: unknown[]) =>
        this.#operate(
          () => pathOf(self, args),
          () => Reflect.apply(original, self, args),
        ),
    });
    Reflect.set(owner, name, watched);
  }

  /** The same for one that calls its last argument back. */
  #watchCallbacks(name: "open" | "fstat", pathOf: PathOf): void {
    const original: unknown = Reflect.get(fs, name);
    if (typeof original !== "function") throw new TypeError(`node:fs has no ${name}`);
    const watched = new Proxy(original, {
      apply: (_, self, args: unknown[]) => {
        const callback = args.at(-1);
        if (typeof callback !== "function") throw new TypeError(`${name} without a callback`);
        const work = (): Promise<unknown> =>
          new Promise((resolve, reject) => {
            const done = (error: unknown, value: unknown): void =>
              error === null ? resolve(value) : reject(error);
            Reflect.apply(original, self, [...args.slice(0, -1), done]);
          });
        this.#operate(() => pathOf(self, args), work).then(
          (value) => Reflect.apply(callback, undefined, [null, value]),
          (error: unknown) => Reflect.apply(callback, undefined, [error]),
        );
      },
    });
    Reflect.set(fs, name, watched);
  }

  async #operate(path: Operation["path"], work: () => Promise<unknown>): Promise<unknown> {
    const account = this.#accounts.getStore() ?? OWN;
    const turn = this.#shares.enter(account.key);
    if (turn !== undefined) await turn;
    const operation: Operation = { account, path, begunAtMs: performance.now(), isStuck: false };
    this.#running.add(operation);
    try {
      if (this.refuse !== undefined && account.isProbe !== true) this.refuse(path() ?? "");
      return await work();
    } finally {
      this.#running.delete(operation);
      if (!operation.isStuck) this.#shares.leave(account.key);
    }
  }
}

/** What an operation works on, from the object and the arguments that it is called with. */
type PathOf = (self: unknown, args: readonly unknown[]) => string | undefined;

/** In this process a path that begins so leads to what a descriptor holds. */
const HELD = /^\/proc\/self\/fd\/(\d+)(\/.*)?$/;

const pathOf: PathOf = (_, [path]) => {
  const text = Buffer.isBuffer(path) ? path.toString() : path;
  if (typeof text !== "string") return undefined;
  const [, descriptor, below = ""] = HELD.exec(text) ?? [];
  return descriptor === undefined ? text : locate(descriptor) + below;
};

const pathOfDirectory: PathOf = (directory) =>
  typeof directory === "object" && directory !== null && "path" in directory
    ? pathOf(undefined, [directory.path])
    : undefined;

const pathOfDescriptor: PathOf = (_, [descriptor]) => locate(String(descriptor));

const pathOfHandle: PathOf = (handle) =>
  typeof handle === "object" && handle !== null && "fd" in handle ? locate(String(handle.fd)) : undefined;

/** Where what a descriptor holds lies: the kernel knows, no disk is asked. */
function locate(descriptor: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${descriptor}`);
  } catch (thrown) {
    // Not Linux, or closed by now: the operation itself will say so.
    if (thrown instanceof Error && "code" in thrown) return "";
    throw thrown;
  }
}
