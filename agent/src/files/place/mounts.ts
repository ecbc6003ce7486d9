import { closeSync, constants, openSync, readFileSync } from "node:fs";

/** What is mounted somewhere. Paths are bytes, a character each: names need not be UTF-8. */
export interface Mount {
  /** The filesystem that it shows: one filesystem has one number, however often it is mounted. */
  readonly device: string;
  /** The directory or file of that filesystem that it shows: `/` unless it is a bind mount. */
  readonly root: string;
  /** Where it is mounted. */
  readonly point: string;
  /** The filesystem's type: "ext4", "proc". */
  readonly type: string;
  /** The directories that an overlay shows as one; of other filesystems none. */
  readonly layers: readonly string[];
}

/** Linux's flag for a descriptor that only names an object: opening a FIFO or a device with it does nothing to it. Node has no constant for it. */
export const O_PATH = 0o10000000;

/** A mount of which nothing is known. */
const ALL: Mount = { device: "root", root: "/", point: "/", type: "", layers: [] };

/** Nothing stays mounted on `/` above this process, so it is looked up once. */
let rootMount: { readonly id: string; readonly mount: Mount } | undefined;

/**
 * The mount through which a descriptor was opened; undefined where this process
 * does not see it: it belongs to another mount namespace, or was unmounted.
 * Linux only. What is read is made by the kernel, and touches no disk.
 */
export function mountOf(descriptor: number): Mount | undefined {
  rootMount ??= findRootMount();
  const id = mountIdOf(descriptor);
  // An id is given to another mount when its own is gone, so no other is remembered.
  return id === rootMount.id ? rootMount.mount : mountWithId(id);
}

/** Where a path (of bytes) lies in the filesystem that a mount shows; undefined for a path outside of the mount. */
export function insideOf({ root, point }: Mount, path: string): string | undefined {
  if (point === "/") return joined(root, path);
  if (path !== point && !path.startsWith(`${point}/`)) return undefined;
  return joined(root, path.slice(point.length));
}

function joined(root: string, below: string): string {
  if (root === "/") return below === "" ? "/" : below;
  return below === "/" ? root : root + below;
}

function mountIdOf(descriptor: number): string {
  const id = /^mnt_id:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${descriptor}`, "latin1"))?.[1];
  if (id === undefined) throw new TypeError("the kernel does not say through which mount a file was opened");
  return id;
}

function mountWithId(id: string): Mount | undefined {
  const line = new RegExp(`^${id} .*$`, "m").exec(readFileSync("/proc/self/mountinfo", "latin1"))?.[0];
  if (line === undefined) return undefined;
  // Optional fields, as many as there are, end with a hyphen.
  const [fields = "", filesystem = ""] = line.split(" - ");
  const [, , device = "", root = "", point = ""] = fields.split(" ");
  const [type = "", , options = ""] = filesystem.split(" ");
  const layers = type === "overlay" ? layersIn(options) : [];
  return { device, root: unescaped(root), point: unescaped(point), type, layers };
}

/** As they were named by whoever mounted it. */
function layersIn(options: string): string[] {
  const named = options.split(",").flatMap((option) => {
    const [name, value = ""] = option.split("=");
    return name === "lowerdir" || name === "upperdir" ? value.split(":") : [];
  });
  return named.map(unescaped).filter((layer) => layer.startsWith("/"));
}

function findRootMount(): { id: string; mount: Mount } {
  const descriptor = openSync("/", O_PATH | constants.O_DIRECTORY);
  try {
    const id = mountIdOf(descriptor);
    // In a chroot below its mount point a mount is not told of; then paths are all that there is.
    return { id, mount: mountWithId(id) ?? ALL };
  } finally {
    closeSync(descriptor);
  }
}

/** Spaces, tabs, newlines and backslashes of a path are written as octal numbers. */
function unescaped(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );
}
