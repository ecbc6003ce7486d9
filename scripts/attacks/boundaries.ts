import type { Attacks } from "./attack.ts";

/** Over the boundaries of a machine: directories, users, what is the agent's own. */
export const BOUNDARIES: Attacks = {
  "Out of the granted directory": [
    {
      attack: "read outside of it by any path",
      file: "e2e/fuzz/paths.test.ts",
      test: "promise 5: a key that is bound to a directory reads nothing outside of it",
    },
    {
      attack: "change anything outside of it by any path",
      file: "e2e/fuzz/paths.test.ts",
      test: "promise 5: nor does it change anything outside of it, or the machine's own state",
    },
    {
      attack: "swap a directory for a link while it is used",
      file: "agent/src/files/place/confinement-attack.test.ts",
      test: "against somebody who swaps a directory for a link all the time",
    },
    {
      attack: "reach the agent's state through a link",
      file: "agent/src/files/place/own-state.test.ts",
      test: "nothing new is made in the state through a link to it",
    },
    {
      attack: "reach the agent's state under another name",
      file: "agent/src/files/place/own-state.test.ts",
      test: "the state is refused under another name of its directory too",
    },
    {
      attack: "read the agent's own process through /proc",
      file: "agent/src/files/place/own-state.test.ts",
      test: "the agent's own process shows nothing through /proc",
    },
    {
      attack: "swap a directory for a link to the state while it is used",
      file: "agent/src/files/place/own-state.test.ts",
      test: "somebody who swaps a directory for a link to the state gets nothing out and nothing in",
    },
    {
      attack: "plant a link that leads out: absolute",
      file: "agent/src/files/place/confinement-links.test.ts",
      test: "a confined caller plants no link that leads out of its directories",
    },
    {
      attack: "plant one that leads out by ..",
      file: "agent/src/files/place/confinement-links.test.ts",
      test: "absolute, by ..",
    },
    {
      attack: "plant one to a name that begins alike",
      file: "agent/src/files/place/confinement-links.test.ts",
      test: "absolute, to a name that merely begins alike",
    },
    {
      attack: "plant one that leads upwards",
      file: "agent/src/files/place/confinement-links.test.ts",
      test: "a confined caller plants no link that leads out of its directories",
    },
    {
      attack: "plant one that will lead out once it is moved",
      file: "agent/src/files/place/confinement-links.test.ts",
      test: "upwards, though only to what is inside as long as nothing is moved",
    },
    {
      attack: "plant one that leads upwards behind a name",
      file: "agent/src/files/place/confinement-links.test.ts",
      test: "upwards behind a name",
    },
    {
      attack: "plant one that leads into the agent's state",
      file: "agent/src/files/place/confinement-links.test.ts",
      test: "into the agent's state",
    },
    {
      attack: "copy or move a link that somebody else has made",
      file: "agent/src/files/place/confinement-links.test.ts",
      test: "nor copies or moves one that somebody else has made",
    },
    {
      attack: "move one to another filesystem",
      file: "agent/src/files/place/confinement-links.test.ts",
      test: "nor when the move has to copy",
    },
    {
      attack: "delete, move or replace the granted directory, or what holds it",
      file: "agent/src/files/place/confinement-links.test.ts",
      test: "neither deleted, nor moved away, nor replaced, nor what holds one of them",
    },
    {
      attack: "put a link where the granted directory is missing",
      file: "agent/src/files/place/confinement-links.test.ts",
      test: "nor may it make a link where one of them is missing",
    },
    {
      attack: "delete the file that the key is bound to",
      file: "agent/src/files/place/confinement-links.test.ts",
      test: "a file that it is bound to is written, and not deleted",
    },
    {
      attack: "be led by another user's link in /tmp",
      file: "agent/src/files/place/confinement-links.test.ts",
      test: "as the kernel's own protection has it",
    },
    {
      attack: "do any of this over the wire",
      file: "e2e/matrix.test.ts",
      test: "a key that is bound to a directory keeps it, and plants no link that leads out of it",
    },
    {
      attack: "hide a way out in the escapes of a name that is not UTF-8",
      file: "agent/src/files/place/byte-names.test.ts",
      test: "of whatever a caller writes: one path of bytes, which is what is judged",
    },
    {
      attack: "change a file outside through its other name, by write or edit",
      file: "agent/src/files/write/in-place.test.ts",
      test: "but not names that may lie where its caller may not write, and says so",
    },
    {
      attack: "have one's own content run with setuid",
      file: "agent/src/files/write/in-place.test.ts",
      test: "not setuid, which was given to the old content, even in place",
    },
  ],
  "What is the agent's own": [
    {
      attack: "reach the state through a bind mount of it",
      file: "agent/src/files/place/state-aliases.test.ts",
      test: "a bind mount of the directory",
    },
    {
      attack: "through one of what holds it",
      file: "agent/src/files/place/state-aliases.test.ts",
      test: "a bind mount of its parent",
    },
    {
      attack: "through one of a directory in it",
      file: "agent/src/files/place/state-aliases.test.ts",
      test: "a bind mount of a directory in it",
    },
    {
      attack: "through a bind mount of a bind mount",
      file: "agent/src/files/place/state-aliases.test.ts",
      test: "a bind mount of a bind mount",
    },
    {
      attack: "through one of a single file",
      file: "agent/src/files/place/state-aliases.test.ts",
      test: "a bind mount of a file in it",
    },
    {
      attack: "through an overlay of it",
      file: "agent/src/files/place/state-aliases.test.ts",
      test: "an overlay of the directory",
    },
    {
      attack: "through an overlay of its parent",
      file: "agent/src/files/place/state-aliases.test.ts",
      test: "an overlay of its parent, below others",
    },
    {
      attack: "through a hard link",
      file: "agent/src/files/place/state-aliases.test.ts",
      test: "a hard link to a file in it",
    },
    {
      attack: "through another process's root, working directory or descriptors",
      file: "agent/src/files/place/state-aliases.test.ts",
      test: "nothing is reached through another process: its root, its working directory, its descriptors",
    },
    {
      attack: "follow a magic link to anywhere",
      file: "agent/src/files/place/state-aliases.test.ts",
      test: "a magic link is not followed even where it leads nowhere special",
    },
    {
      attack: "read a process's environment, memory or arguments",
      file: "agent/src/files/place/proc.test.ts",
      test: "no process shows its environment, its memory or its arguments, by whatever procfs",
    },
    {
      attack: "write into a process, or read the machine's memory",
      file: "agent/src/files/place/proc.test.ts",
      test: "nothing is written into a process, and the machine's memory is no file",
    },
    {
      attack: "change the agent's program",
      file: "agent/src/state/own-program.test.ts",
      test: "nobody can %s a file of it, however it is named",
    },
    {
      attack: "delete or move what holds it, or add to its unit",
      file: "agent/src/state/own-program.test.ts",
      test: "neither can what holds it be deleted or moved away, nor what it starts with be made",
    },
    {
      attack: "add to it under a second name",
      file: "agent/src/state/own-program.test.ts",
      test: "is not added to under a second name",
    },
    {
      attack: "reach any of this with any kind of key and any method",
      file: "e2e/matrix.test.ts",
      test: "%s reaches nothing of the agent's own, by whatever way",
    },
    {
      attack: "have files:write without paths taken for less than it is",
      file: "agent/src/policy/check.test.ts",
      test: "says that files:write without paths is the full authority of a user: %s",
    },
    {
      attack: "be given such a key by somebody who does not know what it is",
      file: "e2e/cli-trust.test.ts",
      test: "a key that may write anywhere is called what it is, when it is made and when it is explained",
    },
    {
      attack: "have code or settings of another user's home trusted at a start",
      file: "e2e/start-trust.test.ts",
      test: "a home of another user's: it is refused, and no compiled code is read or left there",
    },
    {
      attack: "change a home that all may write into, or what holds it",
      file: "e2e/start-trust.test.ts",
      test: "a home that all may write into, or whose parent they may",
    },
    {
      attack: "put compiled code into the home",
      file: "e2e/start-trust.test.ts",
      test: "a compile cache that somebody else has put into it: it is left alone, and said",
    },
    {
      attack: "write into what was made under a umask of 000",
      file: "e2e/start-trust.test.ts",
      test: "with a umask of 000, what is made is its user's alone",
    },
    {
      attack: "lead to the home by a link of one's own",
      file: "cli/src/home/trusted-home.test.ts",
      test: "not by way of a link that leads through somebody else's directory",
    },
    {
      attack: "reach the state by an escape in its name",
      file: "agent/src/files/place/byte-names.test.ts",
      test: "of the agent's own state, by whatever escapes it is named",
    },
    {
      attack: "write into it in place, where it is mounted",
      file: "agent/src/files/write/in-place.test.ts",
      test: "not the agent's own state, by whatever name it is mounted",
    },
  ],
  "Files and jobs of another user": [
    {
      attack: "read /etc/shadow or write to /etc where the policy says another user",
      file: "agent/src/files-process/files-process.test.ts",
      test: "are what that user may touch, and belong to it",
    },
    {
      attack: "keep root's groups there",
      file: "agent/src/files-process/files-process.test.ts",
      test: "count the user's other groups",
    },
    {
      attack: "look into the process that works on files",
      file: "agent/src/files-process/files-process.test.ts",
      test: "are worked on by a process that has nothing of the agent's, and that the user's jobs can't look into",
    },
    {
      attack: "go on as the old user after the policy changed",
      file: "agent/src/files-process/files-process.test.ts",
      test: "are the next user's as soon as the policy says so",
    },
    {
      attack: "reach the inside of the agent or of that process through /proc",
      file: "agent/src/files-process/files-process.test.ts",
      test: "nobody reaches the inside of the agent, or of its process for files, through /proc",
    },
    {
      attack: "have a job inherit a descriptor of the agent's",
      file: "agent/src/jobs/process/spawner.test.ts",
      test: "gives a command its three descriptors and no more (mounts that may hang: %s)",
    },
  ],
};
