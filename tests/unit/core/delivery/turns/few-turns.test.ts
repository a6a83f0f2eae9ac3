import { expect, test } from "vitest";
import { FewTurns } from "../../../../../src/core/delivery/turns/few-turns.ts";

test("turns stay in the order in which they came, and may be removed while a caller iterates", () => {
  const turns = new FewTurns<string>();
  expect([turns.size, [...turns], turns.delete("a")]).toEqual([0, [], false]);
  turns.add("a");
  expect([turns.size, [...turns], turns.delete("b")]).toEqual([1, ["a"], false]);
  for (const turn of turns) expect(turns.delete(turn)).toBe(true);
  expect([turns.size, [...turns]]).toEqual([0, []]);
  for (const turn of ["b", "c", "d"]) turns.add(turn);
  for (const turn of turns) if (turn !== "c") turns.delete(turn);
  turns.add("e");
  expect([turns.size, [...turns]]).toEqual([2, ["c", "e"]]);
});
