import { AsyncLocalStorage } from "node:async_hooks";
import fs, { closeSync, readlinkSync } from "node:fs";
import promises from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { devNull } from "node:os";
import { errnoOf } from "@cmdop/kit";
import { pathText } from "@cmdop/proto";
import { KeyPlaces } from "./key-places.ts";
import { DISK_THREADS, DISK_THREADS_PER_KEY, PROBE_THREADS } from "./limits.ts";

/** For whom operations are. */
export interface Account {
  /** Whose share of the threads they take. */
  readonly key: string;
  /** It finds out whether a mount answers: it is not refused, and has threads of its own. */
  readonly isProbe?: boolean;
}

/** An operation that a thread is at work on. */
export interface Operation {
  readonly account: Account;
  /** What it works on; not free of links where nobody has looked at them yet. Undefined where it does not say. */
  path(): string | undefined;
  readonly begunAtMs: number;
  /** Whether it changes something when it is carried out after all. */
  readonly isChange: boolean;
  /** Whoever waited for it waits no more; its thread is at work still. */
  readonly isStuck: boolean;
}

interface Running extends Operation {
  path: Operation["path"];
  isStuck: boolean;
  readonly reject: (error: Error) => void;
}

/** Functions whose first argument is a path (and sometimes the second: the first is where they hang as a rule). */
const READING = ["access", "lstat", "open", "opendir", "readlink", "realpath", "stat", "statfs"] as const;
const CHANGING = [
  ...["chmod", "lchown", "link", "lutimes", "mkdir"],
  ...["rename", "rmdir", "symlink", "unlink", "utimes"],
] as const;

/** Methods of an open file. */
const HANDLE_READING = ["read", "stat"] as const;
const HANDLE_CHANGING = ["chmod", "chown", "datasync", "sync", "truncate", "utimes", "write"] as const;

/** What belongs to no call. */
const NOBODY: Account = { key: "" };

/**
 * All that this process asks of disks. From `install` on every function of
 * `node:fs` that takes a thread goes through here, whoever calls it: nothing in
 * the files core can forget to. So it is known what each thread is at work on and
 * for whom, no key has more than its share of them, what would only hang is
 * refused before it takes one, and what hangs can be given up.
 */
export class DiskOperations {
  readonly #accounts = new AsyncLocalStorage<Account>();
  readonly #running = new Set<Running>();
  readonly #shares = new KeyPlaces(DISK_THREADS_PER_KEY);
  /** What has begun has a thread: what is given up can't begin later, on a descriptor that is another file's by then. */
  readonly #threads = new KeyPlaces(DISK_THREADS - PROBE_THREADS);
  /** Throws for a path that is not to be touched; undefined while there is none. */
  refuse: ((path: string) => void) | undefined;

  get running(): ReadonlySet<Operation> {
    return this.#running;
  }

  /** Runs a piece of work; what it asks of disks, then and later, is for that account. */
  run<T>(account: Account, work: () => T): T {
    return this.#accounts.run(account, work);
  }

  /** Gives up the operations of which that says with what error: whoever waits for one gets the error, and its key may begin others. */
  giveUp(errorOf: (operation: Operation) => Error | undefined): void {
    for (const operation of this.#running) {
      const error = operation.isStuck ? undefined : errorOf(operation);
      if (error === undefined) continue;
      operation.isStuck = true;
      // Whoever waited may close what it is known by.
      const path = operation.path();
      operation.path = () => path;
      this.#shares.leave(operation.account.key);
      operation.reject(error);
    }
  }

  /** For the whole process, and once: it changes `node:fs`. */
  async install(): Promise<void> {
    for (const name of READING) this.#watch(promises, name, { pathOf });
    for (const name of CHANGING) this.#watch(promises, name, { pathOf, isChange: true });
    this.#watchCallbacks("open", { pathOf });
    this.#watchCallbacks("fstat", { pathOf: pathOfDescriptor });
    const directory = await promises.opendir("/");
    this.#watch(Object.getPrototypeOf(directory), "read", { pathOf: pathOfDirectory });
    await directory.close();
    const handle = await promises.open(devNull);
    const methods = Object.getPrototypeOf(handle);
    for (const name of HANDLE_READING) this.#watch(methods, name, { pathOf: pathOfHandle });
    for (const name of HANDLE_CHANGING) this.#watch(methods, name, { pathOf: pathOfHandle, isChange: true });
    await handle.close();
    syncBuiltinESMExports();
  }

  /** Puts a function in the place of one that gives a promise. */
  #watch(owner: object, name: string, kind: Kind): void {
    const original: unknown = Reflect.get(owner, name);
    if (typeof original !== "function") throw new TypeError(`node:fs has no ${name}`);
    const watched = new Proxy(original, {
      apply: (_, self, args: unknown[]) => {
        const done = this.#operate(kind, self, args, () => Reflect.apply(original, self, args));
        if (owner !== promises || name !== "open") return done;
        // An open file closes by a function of its own.
        return done.then((handle) => {
          if (isObject(handle)) this.#watch(handle, "close", CLOSING);
          return handle;
        });
      },
    });
    Reflect.set(owner, name, watched);
  }

  /** The same for one that calls its last argument back. */
  #watchCallbacks(name: "open" | "fstat", kind: Kind): void {
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
        this.#operate(kind, self, args, work).then(
          (value) => Reflect.apply(callback, undefined, [null, value]),
          (error: unknown) => Reflect.apply(callback, undefined, [error]),
        );
      },
    });
    Reflect.set(fs, name, watched);
  }

  /** Begins an operation as soon as its key and the process have a thread for it. */
  #operate(kind: Kind, self: unknown, args: readonly unknown[], work: () => unknown): Promise<unknown> {
    const account = this.#accounts.getStore() ?? NOBODY;
    if (account.isProbe === true) return Promise.resolve(work());
    const begin = (): Promise<unknown> => this.#begin(account, kind, self, args, work);
    const thread = (): Promise<unknown> => this.#threads.enter("")?.then(begin) ?? begin();
    return this.#shares.enter(account.key)?.then(thread) ?? thread();
  }

  #begin(
    account: Account,
    { pathOf, isChange = false, isClosing = false }: Kind,
    self: unknown,
    args: readonly unknown[],
    work: () => unknown,
  ): Promise<unknown> {
    // A file that is being closed soon has no descriptor to ask.
    const closed = isClosing ? pathOf(self, args) : undefined;
    const path = (): string | undefined => (isClosing ? closed : pathOf(self, args));
    return new Promise((resolve, reject) => {
      const begunAtMs = performance.now();
      const operation: Running = { account, path, isChange, reject, begunAtMs, isStuck: false };
      this.#running.add(operation);
      const succeeded = (value: unknown): void => {
        this.#end(operation);
        if (operation.isStuck) letGo(value);
        resolve(value);
      };
      const failed = (thrown: unknown): void => {
        this.#end(operation);
        reject(thrown);
      };
      try {
        if (!isClosing) this.refuse?.(path() ?? "");
        Promise.resolve(work()).then(succeeded, failed);
      } catch (thrown) {
        failed(thrown);
      }
    });
  }

  #end(operation: Running): void {
    this.#running.delete(operation);
    this.#threads.leave("");
    if (!operation.isStuck) this.#shares.leave(operation.account.key);
  }
}

/** What an operation that nobody waits for has opened. */
function letGo(value: unknown): void {
  if (typeof value === "number") closeSync(value);
  else if (isObject(value) && "close" in value && typeof value.close === "function") {
    void Promise.allSettled([Reflect.apply(value.close, value, [])]);
  }
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

/** What is known of a function. */
interface Kind {
  readonly pathOf: PathOf;
  readonly isChange?: boolean;
  /** Never refused: a file on a mount that does not answer is to be closed all the same. */
  readonly isClosing?: boolean;
}

/** What an operation works on, from the object and the arguments that it is called with. */
type PathOf = (self: unknown, args: readonly unknown[]) => string | undefined;

/** In this process a path that begins so leads to what a descriptor holds. */
const HELD = /^\/proc\/self\/fd\/(\d+)(\/.*)?$/;

const pathOf: PathOf = (_, [path]) => {
  if (!Buffer.isBuffer(path) && typeof path !== "string") return undefined;
  const text = pathText(path);
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
    return pathText(readlinkSync(`/proc/self/fd/${descriptor}`, { encoding: "buffer" }));
  } catch (thrown) {
    // Not Linux, or closed by now: the operation itself will say so.
    if (errnoOf(thrown) !== undefined) return "";
    throw thrown;
  }
}

const CLOSING: Kind = { pathOf: pathOfHandle, isClosing: true };
