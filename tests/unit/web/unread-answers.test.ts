import { describe, expect, test } from "vitest";
import { UnreadAnswers } from "../../../src/web/unread-answers.ts";

function open(maxBytes: number) {
  const unread = new UnreadAnswers(maxBytes);
  const ended: string[] = [];
  const add = (name: string, bytes: number, what: string) => unread.add(name, bytes, () => ended.push(what));
  return { unread, ended, add };
}

describe("answers that wait for their clients", () => {
  test("are within their bound: the address with most loses the connection that has waited longest", () => {
    const { unread, ended, add } = open(100);
    add("one", 30, "one's first");
    add("one", 30, "one's second");
    add("other", 40, "other's");
    expect(ended).toEqual([]);
    add("new", 10, "new's");
    expect(ended).toEqual(["one's first"]);
    expect(unread.bytes).toBe(80);
    add("other", 30, "other's second");
    expect(ended).toEqual(["one's first", "other's"]);
  });

  test("end only as many as it takes, however small what comes is", () => {
    const { ended, add } = open(100);
    for (let n = 0; n < 10; n += 1) add("greedy", 10, `greedy's ${n}`);
    add("small", 1, "small's");
    expect(ended).toEqual(["greedy's 0"]);
  });

  test("that wait alone may be larger, and give way to the next", () => {
    const { ended, add } = open(100);
    add("one", 1_000, "one's");
    expect(ended).toEqual([]);
    add("other", 1, "other's");
    expect(ended).toEqual(["one's"]);
  });

  test("do not count any more when they are taken, also twice", () => {
    const { unread, ended, add } = open(100);
    const taken = add("one", 90, "one's");
    taken();
    taken();
    expect(unread.bytes).toBe(0);
    add("one", 90, "one's second");
    expect(ended).toEqual([]);
  });
});
