const kiB = 1024;
const dayMs = 24 * 60 * 60 * 1_000;

/** Limits of every store. They are no options, so that a program works the same on each store. */
export const storeLimits = {
  /** Characters of an agent's type, and of its key. A store may refuse longer ones. */
  nameCharacters: 1_024,
  /** Reminders of one agent. Those whose names begin with `troupe.` do not count. */
  reminders: 1_000,
  /** Characters of a reminder's name. */
  reminderNameCharacters: 256,
  /** Bytes of a reminder's message. */
  reminderMessageBytes: 64 * kiB,
  /** Answers that a store remembers for one agent; the oldest goes first. As many ids of mail are remembered apart from them. */
  remembered: 64,
  /** Bytes of a remembered answer. */
  answerBytes: 16 * kiB,
  /** Milliseconds for which a message is remembered. */
  rememberedMs: dayMs,
  /** Messages of one mailbox. */
  mailboxMessages: 10_000,
  /** Bytes of one mailbox. */
  mailboxBytes: 64 * 1024 * kiB,
  /** Bytes of all mail of a store. The mail of one agent type has at most two thirds. */
  mailBytes: 1024 * 1024 * kiB,
  /** Bytes that each message counts beside its own. */
  mailOverheadBytes: kiB,
  /** Milliseconds for which a mailbox knows the ids of messages that it was given. */
  mailIdMs: 10 * 60 * 1_000,
  /** Milliseconds for which a dead letter is kept. */
  deadLetterMs: 30 * dayMs,
  /**
   * Bytes of all dead letters, as `letterSize` counts them. Beyond them the oldest go, of those agent types that have the most. A store may
   * look at it only after each 16th part of them.
   */
  deadLettersBytes: 64 * 1024 * kiB,
  /** Runs of one agent that work. As many that have ended are kept; the one that ended first goes first. */
  runs: 1_000,
  /** Characters of a run's id. */
  runIdCharacters: 256,
  /** Bytes of the chunks that are kept of one run, each with `runChunkBytes`. Beyond them the oldest go; the last one stays. */
  runBytes: 1024 * kiB,
  /** Bytes that each chunk of a run counts beside its own. */
  runChunkBytes: 64,
  /** Bytes of a page of `list`. Bytes of the messages of a page of reminders or mail, if the query names no number. */
  pageBytes: 4 * 1024 * kiB,
  /** Records of a page of `list`, if the query names no number. */
  listed: 1_000,
  /** Records of a page of `list` at most. */
  mostListed: 10_000,
  /** Bytes that each record of a page of `list` counts beside its name and its content type. */
  listedBytes: 200,
} as const;

/** Names of reminders that do not count among an agent's own begin so. */
export const ownReminderPrefix = "troupe.";
