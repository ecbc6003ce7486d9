const MINUTE_MS = 60_000;

/** The bounds of a run. Those of the wire are with the protocol. */
export const LOOP_LIMITS = {
  /** Default number of model calls: enough for a long repair of a server. */
  defaultSteps: 50,
  maxSteps: 500,
  /** Default number of tokens for all calls together: a few dollars with a large model. */
  defaultTokens: 1_000_000,
  /** Default time limit of a run: a person would have looked by then. */
  defaultTimeoutMs: 30 * MINUTE_MS,
  maxTimeoutMs: 24 * 60 * MINUTE_MS,

  /** Attempts at one model call in all, because a provider may fail for a minute. */
  maxAttempts: 5,
  /** Longest pause before the second attempt; it doubles with each attempt. */
  firstPauseMs: 1_000,
  /**
   * Longest pause between attempts. If the provider asks for more, the next attempt comes too early and may
   * fail, too.
   */
  maxPauseMs: 60_000,
  /**
   * Characters of one answer, thoughts included. An endless answer must not fill the memory, and each answer
   * is written down as JSON. The largest current models produce some 128,000 tokens.
   */
  maxAnswerCharacters: 500_000,
  /** Tools of one run that run at the same time. */
  maxParallelTools: 8,

  /** Characters of one tool's output that the model reads: half from its start, half from its end. */
  maxToolCharacters: 24_000,
  /** Characters of a conversation: well within the context of current models (some 100,000 tokens). */
  maxContextCharacters: 400_000,
  /** Characters that stay of an old tool output when a conversation is too long. */
  keptToolCharacters: 500,

  /** Default time limit of a command: enough for an upgrade of a server. */
  defaultCommandMs: 10 * MINUTE_MS,
  maxCommandMs: 60 * MINUTE_MS,
  /** Default wait of a tool for the end of a command, before the model continues. */
  defaultCommandWaitMs: MINUTE_MS,
  maxCommandWaitMs: 10 * MINUTE_MS,
  /** Commands of a run whose end the model has not read yet: as many as it can keep track of. */
  maxOpenCommands: 16,
  /** Commands of a run whose output the model can read again. */
  maxKnownCommands: 64,
  /** Open terminal sessions of a run: each has a shell, and an emulator for its screen. */
  maxOpenSessions: 4,
  /** Characters typed in one call: some pages. */
  maxTypedCharacters: 4_000,
  /** Default and longest wait for a text on a session's screen. */
  defaultScreenWaitMs: 30_000,
  maxScreenWaitMs: 10 * MINUTE_MS,
  /**
   * Without a text to wait for, a screen is read when no output has come for screenStillMs, or after
   * screenMovesMs at the latest.
   */
  screenStillMs: 300,
  screenMovesMs: 5_000,
  /** Interval at which a screen is checked for the text, if output has come. */
  screenLookMs: 50,
  /** Directory entries in one answer. */
  maxListedEntries: 200,
  /** Results of one search, and context lines around each: as much as a model can read at once. */
  maxSearchResults: 200,
  maxSearchContextLines: 5,

  /** Longest wait for the caller's confirmation of a tool use; without an answer it is refused. */
  answerMs: 5 * MINUTE_MS,
  /** Characters of a tool call's id: providers use about thirty. */
  maxCallIdCharacters: 100,

  /** Time for an unfinished tool to report after its run has ended: enough for a file on a slow disk. */
  lastWordsMs: 1_000,

  /** New plans that the planner may make for the remaining work. */
  maxReplans: 3,

  /** Members and items in an output schema, counted before it is compiled: about a thousand properties. */
  maxSchemaParts: 4_000,
  /** Levels of nested objects and arrays in an output schema. */
  maxSchemaDepth: 64,
  /**
   * Time limit of the schema thread for one question, and so the longest wait for other keys. Honest schemas
   * take milliseconds.
   */
  schemaCheckMs: 2_000,
  /** Idle time after which the schema thread ends: a run asks again with each answer. */
  schemaThreadIdleMs: 30_000,
  /** Heap of the schema thread: about ten times the largest answer. */
  schemaHeapMiB: 128,
  /** Errors of an answer that the model is told, and their characters in all. */
  maxComplaints: 100,
  maxComplaintCharacters: 4_000,
} as const;
