import { expect, test } from "vitest";
import { announcementOf, readWho, whoAnswer, whoQuestion } from "../../../src/protocol/internal.ts";

const asked = { ...announcementOf([]), ...whoQuestion };

test("a host tells an announced peer that asks as whom it knows it", () => {
  for (const name of ["ada", "ädä: 100 %", "spiffe://example.org/writer"]) {
    expect(readWho(whoAnswer(asked, { name, knownBy: "token" }) ?? {})).toEqual({ name, knownBy: "token" });
    expect(readWho(whoAnswer(asked, { name }) ?? {})).toEqual({ name, knownBy: undefined });
  }
  for (const knownBy of ["a badge: blue", "ü", "x".repeat(21), "a\nb"])
    expect(readWho(whoAnswer(asked, { name: "ada", knownBy }) ?? {})).toEqual({ name: "ada", knownBy: undefined });
  expect(readWho(whoAnswer(asked, undefined) ?? {})).toEqual({ name: undefined, knownBy: undefined });
});

test("a host tells nothing to a stock peer, and to one that does not ask", () => {
  expect(whoAnswer({}, { name: "ada" })).toBeUndefined();
  expect(whoAnswer(whoQuestion, { name: "ada" })).toBeUndefined();
  expect(whoAnswer(announcementOf([]), { name: "ada" })).toBeUndefined();
});

test("an answer that can't be read tells no name", () => {
  for (const agwho of [undefined, "", "token:", "ada", "token:%", `:${"a".repeat(6_000)}`, ["token:ada"]])
    expect(readWho({ agwho })).toBeUndefined();
});
