import { closeSync, openSync, readSync } from "node:fs";
import { errnoOf } from "@cmdop/kit";

/**
 * File systems that answer by themselves: local disks, memory, and the kernel's
 * own. All others (nfs, cifs, fuse, 9p, autofs, …) wait for somebody who may be gone.
 */
const LOCAL = new Set(
  [
    "ext2 ext3 ext4 xfs btrfs f2fs zfs bcachefs jfs reiserfs vfat msdos exfat ntfs3 hfsplus iso9660 udf",
    "squashfs erofs overlay aufs tmpfs ramfs rootfs devtmpfs devpts proc sysfs cgroup cgroup2 cpuset",
    "securityfs selinuxfs debugfs tracefs configfs pstore bpf mqueue hugetlbfs fusectl binfmt_misc efivarfs",
    "nsfs pipefs sockfs rpc_pipefs nfsd",
  ].flatMap((line) => line.split(" ")),
);

/** Read of the list of mounts at once: most machines have less. */
const PIECE_BYTES = 16 * 1024;

/** Whether any mount of this machine can leave those who touch it waiting. Looks at no mount itself. */
export function mountsMayHang(list = "/proc/self/mountinfo"): boolean {
  let file: number;
  try {
    file = openSync(list, "r");
  } catch (error) {
    // No /proc: nothing is known, so the careful answer.
    if (errnoOf(error) !== undefined) return true;
    throw error;
  }
  try {
    const piece = Buffer.alloc(PIECE_BYTES);
    let rest = "";
    for (let read = readSync(file, piece); read > 0; read = readSync(file, piece)) {
      const lines = (rest + piece.toString("latin1", 0, read)).split("\n");
      rest = lines.pop() ?? "";
      if (lines.some((line) => !LOCAL.has(typeOf(line)))) return true;
    }
    return false;
  } finally {
    closeSync(file);
  }
}

/** Behind the separator: what precedes it is of any number. */
function typeOf(line: string): string {
  return line.split(" - ", 2)[1]?.split(" ", 1)[0] ?? "";
}
