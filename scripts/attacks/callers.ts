import type { Attacks } from "./attack.ts";

/** By whoever calls, with a key or without one. */
export const CALLERS: Attacks = {
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
    {
      attack: "throw out a neighbour's new connection by idle ones from the same address",
      file: "relay/src/data/front-door.test.ts",
      test: "connections that never finish their handshake throw out none that has finished it, from the same address",
    },
    {
      attack: "fail from the address that a key's holder shares",
      file: "relay/src/data/failed-logins.test.ts",
      test: "of a neighbour behind the same address, in whosever name, refuse nobody who has not failed",
    },
    {
      attack: "fail there in the name of a key that has proven itself",
      file: "relay/src/data/failed-logins.test.ts",
      test: "of others at an address, and in a key's name, do not close it to a connection on which the key has proven itself",
    },
    {
      attack: "fail there so often that nobody new gets in",
      file: "relay/src/data/failed-logins.test.ts",
      test: "of others do not close the door to a connection that has not failed; its one failure is counted",
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
    {
      attack: "say a key twice in a statement, for parsers that differ",
      file: "proto/src/credentials/statement.test.ts",
      test: "is refused with a key twice, in its header or anywhere in its claims, though the owner signed it",
    },
    {
      attack: "say it in another spelling, or nested",
      file: "proto/src/strict-json.test.ts",
      test: "refuses a doubled key: %s",
    },
    {
      attack: "say a field twice in policy.json",
      file: "agent/src/policy/policy.test.ts",
      test: "a field within a field that stands twice",
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
    {
      attack: "leave a child behind of a job that ended before the key did",
      file: "agent/src/doors/revocation.test.ts",
      test: "and what jobs that had ended before left running by %s, unless the grant lets it live",
    },
    {
      attack: "end another key's job by giving one's own the same id",
      file: "agent/src/jobs/process/leftovers.test.ts",
      test: "another key's job of the same id is not ended with one's own",
    },
    {
      attack: "leave something running by a clean environment and a session of its own",
      file: "agent/src/jobs/process/leftovers.test.ts",
      test: "promise 1: nothing of a job outlives its end, whatever it did to get away",
    },
  ],
  "Callers who take too much": [
    { attack: "die with many open streams", file: "e2e/abuse.test.ts", test: "a caller that dies with" },
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
    {
      attack: "take all sessions, runs or jobs of a machine",
      file: "agent/src/jobs/fair-shares.test.ts",
      test: "promise 9: no key takes all %s; who comes next finds room, and what ended is room again",
    },
    {
      attack: "push another key's output out of memory",
      file: "agent/src/jobs/fair-shares.test.ts",
      test: "promise 9: one key's output evicts its own, in memory",
    },
    {
      attack: "push another key's output off the disk",
      file: "agent/src/jobs/fair-shares.test.ts",
      test: "promise 9: one key's output evicts its own, on disk",
    },
    {
      attack: "have another key's jobs held to the minimum",
      file: "agent/src/jobs/fair-shares.test.ts",
      test: "promise 9: a key within its part is not held to the minimum for what another's jobs take",
    },
    {
      attack: "push out another key's Cancels and ended jobs",
      file: "agent/src/jobs/fair-shares.test.ts",
      test: "promise 9: one key's Cancels and ended jobs push out its own",
    },
    {
      attack: "have another key's pipes closed",
      file: "agent/src/jobs/exec/held-pipes.test.ts",
      test: "promise 9: beyond the bound the oldest pipe of the key that has most is closed, nobody else's",
    },
    {
      attack: "come with many keys, in any order",
      file: "agent/src/shares/shares.test.ts",
      test: "keys that come and go leave room for one more, and never hold more than there is",
    },
    {
      attack: "keep another key waiting for ever",
      file: "agent/src/shares/shares.test.ts",
      test: "nobody starves, and whoever left is passed over",
    },
    {
      attack: "start a burst of commands, so that another key waits",
      file: "e2e/burst.test.ts",
      test: "leaves another key's command at its usual time plus a few starts",
    },
    {
      attack: "start a thousand commands, so that the link breaks",
      file: "e2e/burst.test.ts",
      test: "of a thousand commands costs no link, and each is answered for what it is",
    },
    {
      attack: "read none of one's searches, so that nobody else can search",
      file: "agent/src/files/search/search.test.ts",
      test: "only so many of one key at once, whoever reads them; other keys go on, and it is told",
    },
  ],
  "What a caller makes large": [
    {
      attack: "hold the agent's thread with an edit",
      file: "e2e/stalls.test.ts",
      test: "attack: an edit whose search is quadratic",
    },
    {
      attack: "hold it with output schemas",
      file: "e2e/stalls.test.ts",
      test: "attack: schemas that take long to compile",
    },
    {
      attack: "hold it with a regular expression",
      file: "e2e/stalls.test.ts",
      test: "attack: an expression that takes for ever",
    },
    { attack: "hold it with globs", file: "e2e/stalls.test.ts", test: "attack: globs that try everything" },
    {
      attack: "hold it with the words of a command",
      file: "e2e/stalls.test.ts",
      test: "attack: a command of a hundred thousand words",
    },
    {
      attack: "hold it with a wide terminal",
      file: "e2e/stalls.test.ts",
      test: "attack: a terminal that is told to redraw its widest screen",
    },
    {
      attack: "hold it with what a person is asked",
      file: "e2e/stalls.test.ts",
      test: "attack: calls that take long to put into words for the person who is asked",
    },
    {
      attack: "search for a text that nearly repeats itself",
      file: "agent/src/files/write/occurrences.test.ts",
      test: "looks at each byte a few times, however the needle repeats itself: %s",
    },
    {
      attack: "make several such edits at once",
      file: "agent/src/files/write/edit.test.ts",
      test: "several at once with a text that repeats itself take no longer than others of that size",
    },
    {
      attack: "give a schema whose check takes for ever",
      file: "agent/src/loop/schema/schemas.test.ts",
      test: "promise 9: a check that would take for ever is given up; meanwhile and afterwards all goes on",
    },
    {
      attack: "keep other keys' checks waiting",
      file: "agent/src/loop/schema/schemas.test.ts",
      test: "keys take turns: one key's checks, however many, delay another's by one of them",
    },
    {
      attack: "give a schema that fills the memory",
      file: "agent/src/loop/schema/schemas.test.ts",
      test: "what would fill the memory is given up",
    },
    {
      attack: "give a schema that is too deep, or has too many parts",
      file: "agent/src/loop/schema/output-schema.test.ts",
      test: "refuses the schema %j before anything is made of it",
    },
    {
      attack: "have a model answer in thousands of pieces",
      file: "agent/src/loop/schema/answer-format.test.ts",
      test: "promise 9: an answer in many pieces is passed on piece by piece, and parsed by nobody on the way",
    },
    {
      attack: "send a request of lists and maps of nothing",
      file: "proto/src/rpc/request-bounds.test.ts",
      test: "too many %s are refused before",
    },
    {
      attack: "write escapes to a terminal that take for ever to follow",
      file: "agent/src/jobs/session/hostile-output.test.ts",
      test: "promise 9: a terminal that would take for ever is given up",
    },
    {
      attack: "have thousands of small outputs freed at once",
      file: "agent/src/jobs/journal/output-budget.test.ts",
      test: "promise 9: thousands of small outputs are not freed in one go",
    },
    {
      attack: "send a text that takes long to search for secrets",
      file: "agent/src/policy/redact.test.ts",
      test: "promise 9: the time for a text grows as the text does",
    },
    {
      attack: "hold the relay's thread with batches of tiny records",
      file: "relay/src/audit/check-batch.test.ts",
      test: "promise 9: a machine that sends tiny records can't make the relay hash and write many at a time",
    },
    {
      attack: "send more records at once than a batch may have",
      file: "proto/src/audit/chain-log.test.ts",
      test: "promise 9: a batch has a bounded number of records, however small they are",
    },
    {
      attack: "hold the relay's thread with many queries of the audit",
      file: "relay/src/audit/turns.test.ts",
      test: "promise 9: of many who work at once each waits for its turn, and the thread has others in between",
    },
    {
      attack: "dial again and again, each time with a write to the relay's disk",
      file: "relay/src/control/trust.test.ts",
      test: "promise 9: a machine that dials again and again has the disk written once a minute, and another version at once",
    },
  ],
};
