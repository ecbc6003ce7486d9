import type { Attacks } from "./attack.ts";

/** By way of disks that fail, and of what we are made of. */
export const FAULTS: Attacks = {
  "Full and broken disks": [
    {
      attack: "fill the machine's disk, so that nothing is recorded any more",
      file: "agent/src/audit/full-disk.test.ts",
      test: "nothing runs but what owners and admins do to repair it, and nothing is lost",
    },
    {
      attack: "fill the machine's disk and have it started anew",
      file: "e2e/full-disk.test.ts",
      test: "an agent starts on it; owners and admins come in to repair it",
    },
    {
      attack: "take the reserve of the audit, too",
      file: "e2e/full-disk.test.ts",
      test: "an agent that runs when it fills up, its reserve too, goes on for those who repair it",
    },
    {
      attack: "use up the inodes",
      file: "e2e/full-disk.test.ts",
      test: "an agent starts on it, without its local socket until there is one",
    },
    {
      attack: "start it on a read-only disk",
      file: "e2e/full-disk.test.ts",
      test: "an agent starts on it; what owners and admins do is recorded when it can be written again",
    },
    {
      attack: "let its disk fail while it runs",
      file: "e2e/full-disk.test.ts",
      test: "is read-only from then on: owners and admins are let in",
    },
    {
      attack: "fill the relay's disk",
      file: "e2e/full-disk-relay.test.ts",
      test: "starts, serves owners and admins, refuses what it can't record or keep",
    },
    {
      attack: "wait in memory for ever, unrecorded",
      file: "proto/src/audit/record-writer.test.ts",
      test: "promise 9: what waits is bounded; beyond it owners and admins are refused as well",
    },
  ],
  "Dead disks and killed processes": [
    {
      attack: "take a machine from everybody by calls on a dead mount",
      file: "e2e/dead-mount.test.ts",
      test: "%i calls on a mount that does not answer cost nobody else anything",
    },
    {
      attack: "reach it by a link",
      file: "e2e/dead-mount.test.ts",
      test: "a link that leads to it is found out, and so is a mount that goes away",
    },
    {
      attack: "have agent or relay wait for it at a start",
      file: "e2e/dead-mount.test.ts",
      test: "neither agent nor relay waits for it to start, whatever is left unfinished there",
    },
    {
      attack: "start commands whose directory, program or PATH lies on it",
      file: "e2e/dead-mount-commands.test.ts",
      test: "keeps those waiting whose directory, program or PATH lies there, and nobody else; they are answered truthfully",
    },
    {
      attack: "have a time limit wait for it",
      file: "e2e/dead-mount-commands.test.ts",
      test: "a time limit holds while a command waits for %s",
    },
    {
      attack: "have a command run after it was given up",
      file: "e2e/dead-mount-commands.test.ts",
      test: "runs nothing late that was answered before, and at most once what runs",
    },
    {
      attack: "hang what starts everybody's commands",
      file: "agent/src/jobs/process/spawner.test.ts",
      test: "one that answers nothing is left with what it has, and another takes what comes",
    },
    {
      attack: "kill the process that works on files, in the middle of a call",
      file: "agent/src/files-process/files-process.test.ts",
      test: "breaks its calls off as a lost connection does, leaves nothing, and is followed by another",
    },
    {
      attack: "kill it again and again while many write",
      file: "agent/src/files-process/files-process.test.ts",
      test: "lets exactly one of many writers win, whenever it is killed",
    },
    {
      attack: "kill the agent and have its files process go on",
      file: "agent/src/files-process/files-process.test.ts",
      test: "is no orphan: it ends with its agent, and commits nothing more",
    },
    {
      attack: "read none of one's streams, so that another key's calls wait",
      file: "agent/src/files-process/files-process.test.ts",
      test: "one key's unread streams don't hinder another's calls",
    },
  ],
  "What we are made of": [
    {
      attack: "replace the compiled terminal part",
      file: "agent/src/jobs/session/addon.test.ts",
      test: "an addon with one other byte is refused before any of it runs",
    },
    {
      attack: "run a script when a dependency is installed",
      file: "scripts/supply-chain.test.ts",
      test: "is what the lockfiles have the hash of, pnpm and Node included",
    },
    {
      attack: "publish a bad version that is taken at once",
      file: "scripts/supply-chain.test.ts",
      test: "was published a week before it could be chosen",
    },
    {
      attack: "slip in a licence that we can't live with",
      file: "scripts/supply-chain.test.ts",
      test: "a new one is named in a sentence that says what to do",
    },
  ],
};
