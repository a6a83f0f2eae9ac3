import type { Line, TeamScript } from "../../support/team-scripts.ts";

/** Lines of text alone. */
export const say = (...contents: readonly string[]): Line[] => contents.map((content) => ({ content }));
/** A line of text with its tokens. */
export const cost = (content: string, prompt: number, completion: number): Line => ({ content, prompt, completion });
const go = ["go"];

/** Each policy and each condition, as our teams and AgentChat's play them. */
export const scripts: readonly (readonly [string, TeamScript])[] = [
  [
    "round robin, maxTurns",
    { participants: { a: say("1", "3"), b: say("2") }, policy: { is: "roundRobin" }, maxTurns: 3, tasks: go },
  ],
  [
    "round robin that goes on, and has a second task",
    {
      participants: { a: say("1", "4"), b: say("2", "5"), c: say("3", "6") },
      policy: { is: "roundRobin" },
      maxTurns: 2,
      tasks: ["go", null, "more"],
    },
  ],
  [
    "a function",
    {
      participants: { a: say("1", "2"), b: say("3") },
      policy: { is: "function", order: ["a", "a", "b"] },
      maxTurns: 3,
      tasks: go,
    },
  ],
  [
    "selector",
    {
      participants: { a: say("1", "3"), b: say("2") },
      policy: { is: "selector", lines: ["a", "b", "a"] },
      maxTurns: 3,
      tasks: go,
    },
  ],
  [
    "selector, an answer with other words",
    {
      participants: { my_writer: say("1"), b: say("2") },
      policy: { is: "selector", lines: ["I choose my writer.", "Now **b**!"] },
      maxTurns: 2,
      tasks: go,
    },
  ],
  [
    "selector, a backslash in a name",
    {
      participants: { my_writer: say("1"), b: [] },
      policy: { is: "selector", lines: ["my\\_writer"] },
      maxTurns: 1,
      tasks: go,
    },
  ],
  [
    "selector, a name inside a word",
    {
      participants: { art: say("1"), b: [] },
      policy: { is: "selector", lines: ["start", "art"] },
      maxTurns: 1,
      tasks: go,
    },
  ],
  [
    "selector, no name and two names",
    {
      participants: { a: say("1"), b: [] },
      policy: { is: "selector", lines: ["none", "a or b", "a"] },
      maxTurns: 1,
      tasks: go,
    },
  ],
  [
    "selector, three answers that do not count at first",
    {
      participants: { a: say("1"), b: [] },
      policy: { is: "selector", lines: ["?", "?", "?"] },
      maxTurns: 1,
      tasks: go,
    },
  ],
  [
    "selector, three answers that do not count later",
    {
      participants: { a: [], b: say("1", "2"), c: [] },
      policy: { is: "selector", lines: ["b", "b", "b", "b"] },
      maxTurns: 2,
      tasks: go,
    },
  ],
  [
    "selector that asks no model for two participants in turns",
    { participants: { a: say("1"), b: say("2") }, policy: { is: "selector", lines: ["a"] }, maxTurns: 2, tasks: go },
  ],
  [
    "selector that may repeat",
    {
      participants: { a: say("1", "2"), b: [] },
      policy: { is: "selector", lines: ["a", "a"], allowRepeats: true },
      maxTurns: 2,
      tasks: go,
    },
  ],
  [
    "selector over two runs",
    {
      participants: { a: say("1"), b: say("2"), c: [] },
      policy: { is: "selector", lines: ["a", "a", "b"] },
      maxTurns: 1,
      tasks: ["go", "more"],
    },
  ],
  [
    "hand-offs",
    {
      participants: { a: [{ handoff: "b" }], b: [...say("1", "2"), { handoff: "a" }] },
      policy: { is: "handoffs" },
      maxTurns: 4,
      tasks: go,
    },
  ],
  [
    "hand-offs over two runs",
    {
      participants: { a: [{ handoff: "b" }], b: say("1", "2", "3") },
      policy: { is: "handoffs" },
      maxTurns: 2,
      tasks: ["go", "more"],
    },
  ],
  [
    "handoffTo",
    {
      participants: { a: [{ handoff: "b" }], b: [{ handoff: "user" }] },
      policy: { is: "handoffs" },
      until: { is: "handoffTo", target: "user" },
      tasks: go,
    },
  ],
  [
    "handoffTo a participant",
    {
      participants: { a: [{ handoff: "b" }], b: [] },
      policy: { is: "handoffs" },
      until: { is: "handoffTo", target: "b" },
      tasks: go,
    },
  ],
  [
    "maxMessages",
    {
      participants: { a: say("1", "3"), b: say("2") },
      policy: { is: "roundRobin" },
      until: { is: "maxMessages", most: 3 },
      tasks: go,
    },
  ],
  [
    "maxMessages that the task reaches",
    { participants: { a: [], b: [] }, policy: { is: "roundRobin" }, until: { is: "maxMessages", most: 1 }, tasks: go },
  ],
  [
    "maxMessages anew in each run",
    {
      participants: { a: say("1", "3"), b: say("2") },
      policy: { is: "roundRobin" },
      until: { is: "maxMessages", most: 2 },
      tasks: ["go", null, "more"].slice(0, 2),
    },
  ],
  [
    "mention",
    {
      participants: { a: say("no", "all is DONE"), b: say("done") },
      policy: { is: "roundRobin" },
      until: { is: "mention", text: "DONE" },
      tasks: go,
    },
  ],
  [
    "mention in the task",
    { participants: { a: [], b: [] }, policy: { is: "roundRobin" }, until: { is: "mention", text: "go" }, tasks: go },
  ],
  [
    "mention by a source",
    {
      participants: { a: say("go"), b: say("go") },
      policy: { is: "roundRobin" },
      until: { is: "mention", text: "go", sources: ["b"] },
      tasks: go,
    },
  ],
  [
    "saidBy",
    {
      participants: { a: say("1"), b: say("2") },
      policy: { is: "roundRobin" },
      until: { is: "saidBy", sources: ["b", "c"] },
      tasks: go,
    },
  ],
  [
    "tokens in all",
    {
      participants: { a: [cost("1", 5, 2), cost("3", 1, 1)], b: [cost("2", 3, 4)] },
      policy: { is: "roundRobin" },
      until: { is: "tokens", total: 14 },
      tasks: go,
    },
  ],
  [
    "tokens read",
    {
      participants: { a: [cost("1", 5, 9)], b: [cost("2", 3, 9)] },
      policy: { is: "roundRobin" },
      until: { is: "tokens", prompt: 8, completion: 100 },
      tasks: go,
    },
  ],
  [
    "tokens written",
    {
      participants: { a: [cost("1", 5, 2)], b: [cost("2", 3, 4)] },
      policy: { is: "roundRobin" },
      until: { is: "tokens", completion: 6 },
      tasks: go,
    },
  ],
  [
    "toolCalled",
    {
      participants: { a: say("1"), b: [{ tool: "search", prompt: 2 }, { tool: "book" }] },
      policy: { is: "function", order: ["a", "b", "b"] },
      until: { is: "toolCalled", tool: "book" },
      tasks: go,
    },
  ],
  [
    "any",
    {
      participants: { a: say("X", "3"), b: say("2") },
      policy: { is: "roundRobin" },
      until: {
        is: "any",
        of: [
          { is: "mention", text: "X" },
          { is: "maxMessages", most: 2 },
          { is: "saidBy", sources: ["b"] },
        ],
      },
      tasks: go,
    },
  ],
  [
    "all",
    {
      participants: { a: say("X", "3"), b: say("2") },
      policy: { is: "roundRobin" },
      until: {
        is: "all",
        of: [
          { is: "maxMessages", most: 3 },
          { is: "mention", text: "X" },
        ],
      },
      tasks: go,
    },
  ],
  [
    "a condition that comes before maxTurns in the same turn",
    {
      participants: { a: say("X") },
      policy: { is: "roundRobin" },
      until: { is: "mention", text: "X" },
      maxTurns: 1,
      tasks: go,
    },
  ],
];
