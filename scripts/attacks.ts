/** One attack, and the test that shows that it is refused. */
export interface Attack {
  /** What somebody tries, in a few words. */
  readonly attack: string;
  /** The test's file. */
  readonly file: string;
  /** Its title as the source has it, or a part of it that stands nowhere else in the file. */
  readonly test: string;
}

/**
 * Every attack that has a test, by who attacks. docs/security-tests.md is made of
 * it (npm run security-tests), and a test sees to it that each row's test is there.
 */
export const ATTACKS: Readonly<Record<string, readonly Attack[]>> = {
  "Strangers on the network": [
    {
      attack: "connect and say nothing, a thousand times",
      file: "e2e/hostile.test.ts",
      test: "promise 9: 1,000 idle connections, half of them in mid-handshake",
    },
    {
      attack: "send garbage inside TLS",
      file: "e2e/hostile.test.ts",
      test: "garbage inside TLS is ended, on both protocols",
    },
    {
      attack: "speak a protocol that is not ours",
      file: "e2e/hostile.test.ts",
      test: "TLS without a protocol that we speak is ended",
    },
    {
      attack: "call any method without a token",
      file: "e2e/hostile.test.ts",
      test: "every method of the table refuses a caller without a token",
    },
    {
      attack: "take every place at the door with half-open connections",
      file: "relay/src/data/strangers.test.ts",
      test: "throws out the oldest of an address, then the oldest of all",
    },
    {
      attack: "guess tokens, until signatures are all that is checked",
      file: "relay/src/data/failed-logins.test.ts",
      test: "are refused before any signature is looked at",
    },
    {
      attack: "lock a key's holder out by failing in its name",
      file: "relay/src/data/failed-logins.test.ts",
      test: "in the name of a key do not lock its holder out",
    },
    {
      attack: "fill the relay's disk with refusals",
      file: "relay/src/audit/calls.test.ts",
      test: "strangers with many addresses do not fill the disk either",
    },
  ],
  "Forged and changed statements": [
    {
      attack: "change one byte of a roster, a grant, a record or a token",
      file: "e2e/fuzz/statements.test.ts",
      test: "promise 5: what is accepted is byte for byte what was signed",
    },
    {
      attack: "sign more than the form has room for",
      file: "e2e/fuzz/statements.test.ts",
      test: "promise 5: not even its signer can say more than the form has room for",
    },
    {
      attack: "join with a join token that was changed",
      file: "e2e/fuzz/statements.test.ts",
      test: "promise 5: a join token opens on the machine only as it was signed",
    },
    {
      attack: "store a grant that no owner signed",
      file: "e2e/hostile.test.ts",
      test: "a grant signed by somebody else is not stored",
    },
    {
      attack: "have a second owner taken by a machine that has one",
      file: "agent/src/state/membership.test.ts",
      test: "refuses a second owner once it has joined",
    },
    {
      attack: "go on as an owner who was replaced",
      file: "e2e/owners.test.ts",
      test: "promise 5: an owner hands over to another",
    },
  ],
  "Callers with a key": [
    {
      attack: "call any method with every kind of key that may not",
      file: "e2e/matrix.test.ts",
      test: "promise 5: every kind of key at the %s door",
    },
    {
      attack: "bring a grant or a name in headers",
      file: "e2e/hostile.test.ts",
      test: "headers that only the relay may set are removed",
    },
    {
      attack: "be taken for another by any header at all",
      file: "e2e/fuzz/headers.test.ts",
      test: "promise 5: whatever headers come, nobody is taken for another",
    },
    {
      attack: "name a method that is not in the table",
      file: "e2e/fuzz/headers.test.ts",
      test: "promise 5: whatever method is named, only those of the table are answered",
    },
    {
      attack: "reach another machine than the key's",
      file: "e2e/keys.test.ts",
      test: "promise 5: a key for one device needs no machine's name, and reaches no other",
    },
    {
      attack: "go on after the key was revoked",
      file: "e2e/keys.test.ts",
      test: "promise 5: revoking ends an open stream within 2 s",
    },
    {
      attack: "go on after the key has expired",
      file: "e2e/keys.test.ts",
      test: "promise 5: temporary access ends by itself, its open streams too",
    },
    {
      attack: "leave a job behind that outlives the key",
      file: "agent/src/doors/revocation.test.ts",
      test: "end when the key is revoked, and say why",
    },
    {
      attack: "revoke or block without the right to",
      file: "e2e/keys.test.ts",
      test: "a key without admin may neither list nor block",
    },
    {
      attack: "bring a removed machine back with its old token",
      file: "e2e/keys.test.ts",
      test: "a machine that is removed is gone with its links",
    },
    {
      attack: "call the relay's own part of the link from outside",
      file: "e2e/lying-relay.test.ts",
      test: "%s has no handler at the local door",
    },
  ],
  "Callers who take too much": [
    {
      attack: "die with many open streams",
      file: "e2e/abuse.test.ts",
      test: "a caller that dies with",
    },
    {
      attack: "open streams and read none",
      file: "e2e/abuse.test.ts",
      test: "streams and reads none of them",
    },
    {
      attack: "ask for many large answers and read none",
      file: "e2e/abuse.test.ts",
      test: "a caller that asks for many large answers and reads none of them",
    },
    {
      attack: "cancel calls as fast as they can be made",
      file: "e2e/abuse.test.ts",
      test: "cancelled calls",
    },
    {
      attack: "send uploads that nobody reads",
      file: "e2e/held-uploads.test.ts",
      test: "promise 9: uploads that nobody reads yet can't make the agent hold more than the named budget",
    },
    {
      attack: "send a message over the limit",
      file: "e2e/hostile.test.ts",
      test: "a message over the limit harms only its own call",
    },
    {
      attack: "send a header of 100 KB",
      file: "e2e/hostile.test.ts",
      test: "defect E: a 100 KB header harms only its own call",
    },
    {
      attack: "have all open calls of a machine",
      file: "agent/src/doors/revocation.test.ts",
      test: "promise 9: open calls are bounded, and one key can't have all of them",
    },
  ],
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
      file: "agent/src/files/confinement-attack.test.ts",
      test: "against somebody who swaps a directory for a link all the time",
    },
    {
      attack: "reach the agent's state through a link",
      file: "agent/src/files/own-state.test.ts",
      test: "nothing new is made in the state through a link to it",
    },
    {
      attack: "reach the agent's state under another name",
      file: "agent/src/files/own-state.test.ts",
      test: "the state is refused under another name of its directory too",
    },
    {
      attack: "read the agent's own process through /proc",
      file: "agent/src/files/own-state.test.ts",
      test: "the agent's own process shows nothing through /proc",
    },
    {
      attack: "swap a directory for a link to the state while it is used",
      file: "agent/src/files/own-state.test.ts",
      test: "somebody who swaps a directory for a link to the state gets nothing out and nothing in",
    },
  ],
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
      attack: "use a machine's key from a second place",
      file: "relay/src/control/boot-ids.test.ts",
      test: "takes the newer of two that alternate for the clone",
    },
  ],
  "Against the record and the person": [
    {
      attack: "have secrets written into the audit",
      file: "e2e/machine-audit.test.ts",
      test: "never a value of a variable, input, content or a credential",
    },
    {
      attack: "push records out of the chain by being refused again and again",
      file: "agent/src/audit/machine-audit.test.ts",
      test: "promise 9: of a thousand like refusals the first few are written, the rest counted",
    },
    {
      attack: "write into a chain's files",
      file: "agent/src/audit/machine-audit.test.ts",
      test: "a chain that somebody has written into ends the stream",
    },
    {
      attack: "have something approved that is not what runs",
      file: "agent/src/approvals/question.test.ts",
      test: "is all that decides what runs: values of variables and input too",
    },
    {
      attack: "make two commands look alike",
      file: "agent/src/audit/describe.test.ts",
      test: "two commands that differ are never described alike",
    },
  ],
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
