const MINUTE_MS = 60_000;

/** The bounds of a run; the wire's own are with the protocol. */
export const LOOP_LIMITS = {
  /** Calls of the model, where the caller names no number: what a long repair of a server takes. */
  defaultSteps: 50,
  maxSteps: 500,
  /** Tokens of all calls, where the caller names no number: a few dollars with a large model. */
  defaultTokens: 1_000_000,
  /** Where the caller names no limit: a person would have looked by then. */
  defaultTimeoutMs: 30 * MINUTE_MS,
  maxTimeoutMs: 24 * 60 * MINUTE_MS,

  /** Attempts at one call of the model, in all: a provider's bad minute. */
  maxAttempts: 5,
  /** The pause before the second attempt is up to this long; it doubles. */
  firstPauseMs: 1_000,
  /** No pause is longer, also where the provider asks for a longer one: then it is asked again too early, and once more. */
  maxPauseMs: 60_000,
  /** Characters of one answer of the model, its thoughts included: a provider that never ends must not fill the memory, and each is written down as JSON. The largest of current models say some 128,000 tokens. */
  maxAnswerCharacters: 500_000,
  /** Tools that run at once for one run. */
  maxParallelTools: 8,

  /** Characters of one tool's output that the model reads: half from its beginning, half from its end. */
  maxToolCharacters: 24_000,
  /** Characters of a conversation: well within what current models read at once (some 100,000 tokens). */
  maxContextCharacters: 400_000,
  /** What is left of old output of a tool, in characters, once a conversation is too long. */
  keptToolCharacters: 500,

  /** A command's time limit where the model names none: what an upgrade of a server takes. */
  defaultCommandMs: 10 * MINUTE_MS,
  maxCommandMs: 60 * MINUTE_MS,
  /** How long a tool waits for a command's end before the model may think again. */
  defaultCommandWaitMs: MINUTE_MS,
  maxCommandWaitMs: 10 * MINUTE_MS,
  /** Commands of a run whose end its model has not read: what it can keep in mind. */
  maxOpenCommands: 16,
  /** Commands of a run whose output its model can read again. */
  maxKnownCommands: 64,
  /** Terminal sessions that a run has at once: each is a shell, and an emulator for its screen. */
  maxOpenSessions: 4,
  /** What is typed at once, in characters: some pages. */
  maxTypedCharacters: 4_000,
  /** How long a tool waits for a text on a session's screen where the model does not say, and at most. */
  defaultScreenWaitMs: 30_000,
  maxScreenWaitMs: 10 * MINUTE_MS,
  /** Without a text to wait for: the screen is still when nothing has come for so long, and is looked at after that much at the latest. */
  screenStillMs: 300,
  screenMovesMs: 5_000,
  /** How often a screen that is waited for is looked at, where anything has come. */
  screenLookMs: 50,
  /** Entries of a directory that the model reads at once. */
  maxListedEntries: 200,
  /** Matching lines, or names, of one search, and lines around each: what a model reads at once. */
  maxSearchResults: 200,
  maxSearchContextLines: 5,

  /** How long a use of a tool waits for the run's caller, where it wanted to be asked; then it is a no. */
  answerMs: 5 * MINUTE_MS,
  /** Characters of a call's id: providers use some thirty. */
  maxCallIdCharacters: 100,

  /** How long a tool that is not done may take to say so when its run has ended: a file on a slow disk. */
  lastWordsMs: 1_000,

  /** How often the planner may make a new plan for what is left. */
  maxReplans: 3,

  /** Members of objects and items of arrays in an output schema, counted before anything is made of it: some thousand properties. */
  maxSchemaParts: 4_000,
  /** Levels of objects and arrays in it. */
  maxSchemaDepth: 64,
  /** How long the thread for schemas may work on one question; other keys wait so long at most. Honest schemas take milliseconds. */
  schemaCheckMs: 2_000,
  /** How long it waits for another question before it ends: a run asks again with each answer. */
  schemaThreadIdleMs: 30_000,
  /** Heap of that thread: the largest answer, some ten times over. */
  schemaHeapMiB: 128,
  /** Complaints about an answer that the model is told, and their characters. */
  maxComplaints: 100,
  maxComplaintCharacters: 4_000,
} as const;
