import { describe, expect, test } from "vitest";
import {
  type CallingTurn,
  type CallPath,
  joinedPath,
  pathVia,
  turnsOf,
  waitingTurns,
} from "../../../../src/core/scope/call-path.ts";

const turn = (token: string, via: readonly string[] = []): CallingTurn => ({
  ...{ token, type: `type-${token}`, key: "k" },
  ...(via.length > 0 && { via: via.map((one) => ({ token: one })) }),
});
/** Another turn of the agent of the first one. */
const again = (first: string, token: string): CallingTurn => ({ ...turn(token), type: `type-${first}` });
const tokens = (path: CallPath) =>
  path.map(({ token, via = [] }) => [token, ...via.map((call) => call.token)].join(" "));

describe("the turns of a path that still wait", () => {
  const waiting = (path: CallPath, over: readonly string[]) =>
    tokens(waitingTurns(path, ({ token }) => over.includes(token)));

  test.each<[string, CallPath, readonly string[], readonly string[]]>([
    ["are all while no call is over", [turn("a"), turn("b"), turn("c")], [], ["a", "b", "c"]],
    ["are all if the call of the first one is over", [turn("a"), turn("b"), turn("c")], ["a"], ["a", "b", "c"]],
    ["begin with the turn whose call is over", [turn("a"), turn("b"), turn("c")], ["b"], ["b", "c"]],
    ["begin with the last turn whose call is over", [turn("a"), turn("b"), turn("c")], ["b", "c"], ["c"]],
    ["begin behind a turn that gave up a call which interleaves", [turn("a", ["q"]), turn("b")], ["q"], ["b"]],
    ["are none if the last one gave up a call which interleaves", [turn("a"), turn("b", ["p", "q"])], ["p"], []],
    ["are all of several paths, or none", [turn("a"), turn("b"), turn("a")], ["b"], ["a", "b", "a"]],
    ["begin behind several paths", [turn("a"), turn("b"), turn("a"), turn("c")], ["c", "b"], ["c"]],
    ["are none of several paths", [turn("a"), turn("b", ["p"]), turn("a", ["q"]), turn("c")], ["q"], ["c"]],
    [
      "are those of several paths as long as it is not known",
      [turn("a"), turn("b", ["p"]), turn("a")],
      ["p"],
      ["a", "b p", "a"],
    ],
  ])("%s", (_title, path, over, expected) => {
    expect(waiting(path, over)).toEqual(expected);
  });

  test("have the turn in which one is nested", () => {
    expect(waiting([turn("a"), turn("b"), again("a", "c")], ["c"])).toEqual(["a", "c"]);
  });

  test("have it also behind a call which interleaves", () => {
    expect(waiting([turn("a", ["q"]), again("a", "c")], ["q"])).toEqual(["a", "c"]);
  });

  test("have those that wait for it", () => {
    expect(waiting([turn("z"), turn("a"), turn("b"), again("a", "c")], ["c"])).toEqual(["z", "a", "c"]);
  });

  test("have the turn in which one is nested, though another turn between has given a call up too", () => {
    const path = [turn("z"), turn("a"), turn("b"), again("b", "c"), again("a", "d")];
    expect(waiting(path, ["b", "c"])).toEqual(["z", "a", "b", "c", "d"]);
  });

  test("are known by the turns of this runtime", () => {
    let isAwaited = true;
    const own: CallingTurn = {
      ...turn("b"),
      get isAwaited() {
        return isAwaited;
      },
    };
    const path = pathVia([turn("a"), own], { token: "q", isAwaited: undefined });
    expect(tokens(waitingTurns(path))).toEqual(["a", "b q"]);
    isAwaited = false;
    expect(tokens(waitingTurns(path))).toEqual(["b q"]);
  });
});

describe("the path of several handlers together", () => {
  test.each<[string, readonly CallPath[], readonly string[]]>([
    [
      "is theirs if they have one",
      [
        [turn("a"), turn("b")],
        [turn("a"), turn("b")],
      ],
      ["a", "b"],
    ],
    ["says that it is no chain", [[turn("a"), turn("b")], [turn("c")]], ["a", "b", "c", "a"]],
    ["says so also if one is nested in the other", [[turn("a")], [turn("a"), turn("b")]], ["a", "b", "a"]],
    [
      "says so also if one of them has the same turns, and says so itself",
      [
        [turn("a"), turn("b"), turn("a")],
        [turn("a"), turn("b"), turn("c")],
      ],
      ["a", "b", "c", "a"],
    ],
    ["says so once", [[turn("a"), turn("b"), turn("a")], [turn("c")]], ["a", "b", "c", "a"]],
    ["has no calls in which they differ", [[turn("a", ["p"])], [turn("a", ["q"])]], ["a"]],
    ["has the calls that they share", [[turn("a", ["p"])], [turn("a", ["p"])]], ["a p"]],
    ["is a single turn, if one of them has no path", [[], [turn("a")]], ["a"]],
    ["is empty without paths", [[], []], []],
  ])("%s", (_title, paths, expected) => {
    expect(tokens(joinedPath(paths))).toEqual(expected);
    expect(new Set(tokens(turnsOf(joinedPath(paths)))).size).toBe(turnsOf(joinedPath(paths)).length);
  });

  test("is the longest of them if there are too many for one path", () => {
    const chains = Array.from({ length: 25 }, (_, at) => [turn(`a${at}`), turn(`b${at}`)]);
    chains[3]?.push(turn("c"));
    expect(turnsOf(joinedPath(chains.slice(4, 16), 32))).toHaveLength(24);
    expect(tokens(joinedPath(chains, 32))).toEqual(["a3", "b3", "c"]);
    expect(tokens(joinedPath(chains.slice(0, 2), 5))).toEqual(["a0", "b0"]);
  });

  test("is the whole chain if the others are its beginning", () => {
    const chain = Array.from({ length: 40 }, (_, at) => turn(`a${at}`));
    const beginnings = chain.map((_, at) => chain.slice(0, at + 1)).reverse();
    expect(turnsOf(joinedPath(beginnings, 32))).toHaveLength(40);
  });
});

test("a path names the latest 8 calls in a row whose handlers interleave", () => {
  let path: CallPath = [turn("a")];
  for (let at = 1; at <= 10; at += 1) path = pathVia(path, { token: `q${at}` });
  expect(tokens(path)).toEqual(["a q3 q4 q5 q6 q7 q8 q9 q10"]);
  expect(pathVia([], { token: "q" })).toEqual([]);
});

test("a path tells which turns wait behind 50,000 calls in a row whose handlers interleave", () => {
  let isAwaited = true;
  const own: CallingTurn = {
    ...turn("b"),
    get isAwaited() {
      return isAwaited;
    },
  };
  let path: CallPath = [turn("a"), own];
  for (let at = 1; at <= 50_000; at += 1) path = pathVia(path, { token: `q${at}` });
  expect(waitingTurns(path)).toHaveLength(2);
  isAwaited = false;
  expect(waitingTurns(path)).toHaveLength(1);
});
