import type { Attacks } from "./attack.ts";

/** By a party that is in wrong hands, and on the way to become owner. */
export const PARTIES: Attacks = {
  "A relay in wrong hands": [
    {
      attack: "send a call to another machine than it was for",
      file: "e2e/lying-relay.test.ts",
      test: "misroutes: a call for one machine does not run on another",
    },
    {
      attack: "attach another key's grant",
      file: "e2e/lying-relay.test.ts",
      test: "swaps grants: another key's is refused",
    },
    {
      attack: "invent who calls",
      file: "e2e/lying-relay.test.ts",
      test: "invents headers: nothing but token and grant says who calls",
    },
    {
      attack: "bring an old roster",
      file: "e2e/lying-relay.test.ts",
      test: "replays an old roster: the newer stays",
    },
    {
      attack: "rename or relabel a machine",
      file: "e2e/lying-relay.test.ts",
      test: "machine records of another machine, of a stranger and old ones rename and relabel nothing",
    },
    {
      attack: "call before it has said who it is",
      file: "e2e/lying-relay.test.ts",
      test: "promise 5: a relay that skips the greeting",
    },
    {
      attack: "have a nonce of its choice signed",
      file: "e2e/lying-relay.test.ts",
      test: "a Hello whose nonce is too short or too long is not signed",
    },
  ],
  "A machine in wrong hands": [
    {
      attack: "answer what can't be passed on",
      file: "relay/src/data/hostile-machine.test.ts",
      test: "a machine that answers what can't be passed on",
    },
    {
      attack: "send a changed or a foreign audit chain",
      file: "relay/src/audit/pull.test.ts",
      test: "what a machine's chain may not bring",
    },
    {
      attack: "come back with another machine's receipt, or after having been removed",
      file: "relay/src/control/lost-state.test.ts",
      test: "a receipt is this machine's, of this relay, and none for a machine that was removed",
    },
    {
      attack: "teach a relay that has lost its memory a stranger's roster",
      file: "relay/src/control/lost-state.test.ts",
      test: "follows its owners, where they have changed meanwhile, and takes nothing of strangers",
    },
  ],
  Clones: [
    {
      attack: "use a machine's key from a second place",
      file: "relay/src/control/boot-ids.test.ts",
      test: "are two agents where one comes back behind another",
    },
    {
      attack: "have an honest machine taken for a clone",
      file: "relay/src/control/boot-ids.test.ts",
      test: "of an honest machine are never taken for clones, however often it starts, whichever lanes return when, and however late a hello arrives",
    },
    {
      attack: "push the genuine machine out by made-up starts",
      file: "relay/src/control/boot-ids.test.ts",
      test: "promise 9: of a clone that makes up new ones push nothing out that matters, and are bounded",
    },
    {
      attack: "dial with a copied key twenty times at once",
      file: "relay/src/control/quarantine.test.ts",
      test: "agents at once with a copied machine key: none of them is the machine any more, and a caller hears why",
    },
    {
      attack: "have restarts and lost lanes of an honest machine shut it out",
      file: "relay/src/control/quarantine.test.ts",
      test: "an agent that restarts, loses lanes and dials again before its old link is known to be dead is never quarantined",
    },
    {
      attack: "restart the relay, so that it forgets",
      file: "relay/src/control/quarantine.test.ts",
      test: "a quarantine outlives the relay, ends the calls that are open, and no other machine notices",
    },
    {
      attack: "release a machine without being its owner",
      file: "relay/src/control/quarantine.test.ts",
      test: "only an owner releases a machine; then the one that stays is let in, and two that alternate are quarantined again",
    },
    {
      attack: "shut out a machine that joins anew",
      file: "relay/src/control/quarantine.test.ts",
      test: "a machine that is removed and joins anew is in no quarantine; who may see the machine sees the records of it",
    },
    {
      attack: "start a real agent on a copied state",
      file: "e2e/clones.test.ts",
      test: "is quarantined beside its copy, its operator is told, and released by its owner it is back as it was",
    },
  ],
  "The owner key": [
    {
      attack: "read the owner's private key from any file, environment or command line",
      file: "e2e/up-attack.test.ts",
      test: "its jobs find no owner's private key in any file, environment or command line",
    },
    {
      attack: "make a key with admin by the key that cmdop up prints",
      file: "e2e/up-attack.test.ts",
      test: "its jobs can't make a key with admin",
    },
    {
      attack: "find passphrase, recovery key or private key in memory",
      file: "e2e/up-attack.test.ts",
      test: "its jobs find neither passphrase nor recovery key, nor the private key, not even in the memory of what runs",
    },
    {
      attack: "read a passphrase that was given to cmdop up from /proc",
      file: "e2e/up-attack.test.ts",
      test: "is in no environment and no memory once its agent runs, and no job inherits it",
    },
    {
      attack: "read one that was given to agent, relay or mcp",
      file: "e2e/owner-passphrase.test.ts",
      test: "starts over without it: neither relay nor agent shows it in /proc",
    },
    {
      attack: "have an unsealed owner key used",
      file: "e2e/owner-passphrase.test.ts",
      test: "promise 10: is refused by %s, with the way out",
    },
    {
      attack: "read the passphrase off the screen",
      file: "e2e/owner-passphrase.test.ts",
      test: "shows nothing of what is typed, says when it is wrong, and does the work when it is right",
    },
    {
      attack: "leave the terminal raw by Ctrl-C",
      file: "e2e/owner-passphrase.test.ts",
      test: "Ctrl-C leaves, and leaves the terminal as it was",
    },
    {
      attack: "leave it raw by a signal",
      file: "e2e/owner-passphrase.test.ts",
      test: "a signal leaves the terminal as it was, too",
    },
    {
      attack: "change the sealed file: owner, cost, nonce",
      file: "proto/src/credentials/sealed-owner-key.test.ts",
      test: "does not open once %s has been changed",
    },
    {
      attack: "have a file of one's making cost gigabytes or hours",
      file: "proto/src/credentials/sealed-owner-key.test.ts",
      test: "is refused with %s, before any work is done",
    },
    {
      attack: "become owner by another recovery owner in the file",
      file: "proto/src/credentials/sealed-owner-key.test.ts",
      test: "the recovery owner",
    },
  ],
};
