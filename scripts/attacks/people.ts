import type { Attacks } from "./attack.ts";

/** On what people and models are told, and on what is written down. */
export const PEOPLE: Attacks = {
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
      attack: "make two commands look alike",
      file: "agent/src/audit/describe.test.ts",
      test: "two commands that differ are never described alike",
    },
    {
      attack: "push a command out of a chain by cheap reads",
      file: "agent/src/audit/machine-audit.test.ts",
      test: "7,500 reads of paths that are as long as they can be",
    },
    {
      attack: "push another key's records out by one's own",
      file: "agent/src/audit/machine-audit.test.ts",
      test: "a key that has filled its share has its reads counted, never its commands; another key's are written as ever",
    },
    {
      attack: "have reads counted without a word on disk",
      file: "agent/src/audit/machine-audit.test.ts",
      test: "that calls are counted is on disk before the first of them runs; a full disk refuses it",
    },
    {
      attack: "write a record as long as one likes",
      file: "agent/src/audit/machine-audit.test.ts",
      test: "promise 9: a record is bounded, and what had to go is counted",
    },
    {
      attack: "do the same to the relay's own chain",
      file: "relay/src/audit/calls.test.ts",
      test: "promise 9: a key that has filled its share of the chain has its reads counted, by machine; never what changes something, nor another key's",
    },
    {
      attack: "hide the end of a long command line",
      file: "agent/src/audit/record-text.test.ts",
      test: "keeps its beginning and its end where it is too long, with length and hash of the whole",
    },
    {
      attack: "hide what differs in its middle",
      file: "agent/src/audit/record-text.test.ts",
      test: "two that differ in the middle alone have different records",
    },
    {
      attack: "find a hidden secret at a cut, or by the hash",
      file: "agent/src/audit/record-text.test.ts",
      test: "shows nothing of a secret that lies across a cut, nor a hash by which it could be guessed",
    },
    {
      attack: "bring more secrets than there is time to hide",
      file: "agent/src/policy/redact.test.ts",
      test: "promise 9: where there is more to hide than there is time for, all of it is hidden",
    },
    {
      attack: "have the beginning of a chain gone without a word",
      file: "e2e/audit-sdk.test.ts",
      test: "promise 8: records that are gone since the heads were kept are counted and told, though what is left holds",
    },
  ],
  Approvals: [
    {
      attack: "have something approved that is not what runs",
      file: "agent/src/approvals/question.test.ts",
      test: "is all that decides what runs: arguments, values of variables and input too",
    },
    {
      attack: "forge a field by the name of a variable",
      file: "agent/src/approvals/question.test.ts",
      test: "is all that decides what runs: arguments, values of variables and input too",
    },
    {
      attack: "say yes to an id whose call is another",
      file: "agent/src/approvals/approvals.test.ts",
      test: "promise 5: is approved by a yes that names its hash, and by no other",
    },
    {
      attack: "use a yes for another call, over the wire",
      file: "e2e/approvals.test.ts",
      test: "is bound to a hash of exactly that call: a yes to another is none",
    },
    {
      attack: "change policy or request between question and start",
      file: "e2e/approvals.test.ts",
      test: "is not carried out where anything of it is different by then",
    },
    {
      attack: "scroll the end of what is written out of sight",
      file: "e2e/approvals.test.ts",
      test: "shows content by both ends, size and hash, and never scrolls its end out of sight",
    },
    {
      attack: "leave any part of a call out of the hash",
      file: "agent/src/approvals/binding.test.ts",
      test: "is all of the call, but for where a retry goes on reading",
    },
    {
      attack: "move a border between two values",
      file: "agent/src/approvals/binding.test.ts",
      test: "knows where one value ends and the next begins",
    },
    {
      attack: "hold the agent's thread by what is hashed",
      file: "agent/src/approvals/binding.test.ts",
      test: "is hashed in slices, between which others are served",
    },
    {
      attack: "hide the end of a command behind spaces, padding or newlines",
      file: "proto/src/excerpt.test.ts",
      test: "of long %s both ends are shown, with what is between them counted",
    },
    {
      attack: "write with lookalikes, right-to-left letters or loose marks",
      file: "proto/src/excerpt.test.ts",
      test: "what a person decides by",
    },
    {
      attack: "make two texts look alike",
      file: "proto/src/excerpt.test.ts",
      test: "two whole texts that differ look different",
    },
    {
      attack: "write what the person does not see",
      file: "agent/src/approvals/question.test.ts",
      test: "shows content with its size and hash, and of long content both ends",
    },
    {
      attack: "hide in a run's prompt or schema",
      file: "agent/src/approvals/question.test.ts",
      test: "shows a run's prompt and schema, whole where they are short, else both ends and the hash",
    },
    {
      attack: "use a method or a field that the question leaves out",
      file: "agent/src/approvals/question.test.ts",
      test: "knows every method that a policy can let wait, and shows each of their fields",
    },
    {
      attack: "have a question of megabytes built",
      file: "agent/src/approvals/question.test.ts",
      test: "%s is refused before anything of it is built",
    },
    {
      attack: "change a tool's arguments after the yes",
      file: "agent/src/loop/confirmations.test.ts",
      test: "promise 5: a yes is for the use that was seen, and for what it was used with then",
    },
    {
      attack: "write by a command where only writes are asked for",
      file: "agent/src/loop/confirmations.test.ts",
      test: "who is asked for writes is asked for commands: they write as well",
    },
    {
      attack: "use one answer for two uses of a tool",
      file: "e2e/agent-approve.test.ts",
      test: "an answer is for one use, the first counts, and no other key answers",
    },
    {
      attack: "answer through MCP for what was not shown",
      file: "e2e/agent-mcp-approve.test.ts",
      test: "is told what the run wants, answers with agent_approve, and goes on",
    },
    {
      attack: "write past a policy that asks for files:write alone",
      file: "agent/src/policy/check.test.ts",
      test: "says what can write without being asked for, where %j is asked for",
    },
  ],
  "What a machine says": [
    {
      attack: "forge a line or the end of an MCP answer by any tool",
      file: "mcp-server/src/hostile-machine.test.ts",
      test: "promise 5: %s %j marks what comes from a machine, and nothing in it forges a line",
    },
    {
      attack: "forge one in the question to a run's person",
      file: "mcp-server/src/hostile-machine.test.ts",
      test: "so does a question that waits for the run's caller, and the form of its person",
    },
    {
      attack: "forge one in an error or its advice",
      file: "mcp-server/src/hostile-machine.test.ts",
      test: "an error %s of a machine is data, its advice too",
    },
    {
      attack: "talk to a model by what files are called and hold",
      file: "e2e/mcp.test.ts",
      test: "promise 5: what files are called and hold is data: it forges no line and no end of an answer",
    },
    {
      attack: "guess the mark that ends the data",
      file: "proto/src/marked-data.test.ts",
      test: "promise 5: data can't know the mark that ends it, not even from what came before",
    },
    {
      attack: "steer a terminal by names and output in tables or JSON",
      file: "e2e/cli-jobs.test.ts",
      test: "what a machine says is one line that steers nothing, in a table and as JSON",
    },
    {
      attack: "steer it by a line of --json",
      file: "cli/src/console/json-line.test.ts",
      test: "JSON says the same to a program, and steers no terminal",
    },
  ],
  Models: [
    {
      attack: "lead the agent from the model's server to another",
      file: "agent/src/loop/providers.test.ts",
      test: "promise 5: what answers %i to elsewhere is not followed",
    },
    {
      attack: "lead it to another place of the same server",
      file: "agent/src/loop/providers.test.ts",
      test: "nor to another place of the same server, nor to what is no address",
    },
    {
      attack: "have a model called over plain http by a variable",
      file: "agent/src/loop/providers.test.ts",
      test: "plain http goes to this machine only, wherever the address comes from",
    },
    {
      attack: "get a conversation by a redirect, of a real run",
      file: "e2e/agent-tools.test.ts",
      test: "a model's server that sends its callers elsewhere is not followed: nobody else gets the conversation",
    },
    {
      attack: "inherit the model's key",
      file: "e2e/agent-tools.test.ts",
      test: "promise 6: nothing that the agent starts has the model's key in its environment, and it says what is left",
    },
    {
      attack: "find it in the agent's environment",
      file: "agent/src/loop/model-environment.test.ts",
      test: "promise 6: keys of models are taken out of the environment, and are known on",
    },
  ],
};
