// The style of Troupe's texts, as far as a program can check it. The rest stands in CONTRIBUTING.md.

/** Words of a sentence at most. */
export const longestSentence = 25;

/** Constructions that readers stumble over, and what to write instead. `in`: the kinds of texts that a rule is for; default: all. */
export const banned = [
  {
    pattern: /^(?:What|Who|Whose|Whom|Why|How(?! (?:long|many|much))|So)\b/,
    write: "say what it is or does",
    in: ["doc"],
  },
  { pattern: /can(?:'t|not) be meant/i, write: "say what is invalid" },
  { pattern: /\b(?:is|are|was|were) come (?:back )?to\b/i, write: "name who reconnects" },
  { pattern: /\bwho(?:m)?ever\b/i, write: "name the actor: the host, the worker, the caller" },
  { pattern: /(?:^|[.:;] )So (?:many|much|long)\b/, write: 'begin with what it is: "At most 32 buffers"' },
  { pattern: /\b(?:that|the (?:first|last)|in|of|when) so many\b/i, write: "name the number: a count, `n`, the limit" },
  { pattern: /\bby its own will\b/i, write: "outgoing" },
  { pattern: /\bfor ever\b/i, write: "without a limit, or name the limit" },
  { pattern: /(?:^|[.:;] )(?:Never|Nor|Neither) (?:is|are|was|were|does|do|did|has|have)\b/, write: "subject first" },
  { pattern: /\bnone at all\b/i, write: "none" },
  { pattern: /\bat all\b/i, write: "leave it out", in: ["message"] },
  { pattern: /\bwithout a word\b/i, write: "without notice" },
  { pattern: /\bnobody\b/i, write: "name the actor: no caller, no agent, no worker" },
  { pattern: /\bsomebody\b/i, write: "name the actor" },
  { pattern: /\bsays? goodbye\b/i, write: "closes, ends its stream" },
  { pattern: /\bcalled off\b/i, write: "cancelled" },
  { pattern: /\bgoes? on\b/i, write: "continues", in: ["doc", "message"] },
  { pattern: /\bhas to be\b/i, write: "must be" },
  { pattern: /(?<!there )\bis no (?!longer|more|less)\w+/i, write: "is not a" },
];

/** Pages for contributors, who know what a room is. */
const contributorsPages = ["ARCHITECTURE.md", "CONTRIBUTING.md"];

/** Words that the glossary replaces. `notIn`: files that may use them. */
export const glossary = [
  { pattern: /\bdoors?\b/i, write: "entry point" },
  { pattern: /\bshel(?:f|ves)\b/i, write: "catalog" },
  { pattern: /\bdesks?\b/i, write: "name the thing" },
  { pattern: /\btall(?:y|ies)\b/i, write: "counters" },
  {
    pattern: /\brooms?\b(?! (?:for|left|again|in|to|beside|before|of))/i,
    write: "folder, entry point or space",
    in: ["doc", "message", "page"],
    notIn: contributorsPages,
  },
  { pattern: /\bdepartures?\b/i, write: "send queue" },
  { pattern: /\bslow road\b/i, write: "slow path" },
  { pattern: /\bcancel signals?\b|\bsignal frames?\b/i, write: "notice (a signal is an AbortSignal)" },
  {
    pattern: /\b(?:telemetry|structured(?: message)?) events?\b/i,
    write: "message-log record (an event is a published message)",
  },
  {
    pattern: /\bprotocol\.md\b/,
    write: "the section in a // comment: readers of the package do not have the file",
    in: ["doc"],
  },
  { pattern: /\([WH]\d+\)|\b[WH]\d{1,2}\b/, write: "the number in a // comment", in: ["doc"] },
];
