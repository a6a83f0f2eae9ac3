import { describe, expect, test } from "vitest";
import { readSession, sessionMetadata } from "../../../../src/protocol/internal.ts";

describe("the number of a worker's connection", () => {
  test("is read as it was written", () => {
    for (const session of [1, 2, 999_999_999_999_999]) expect(readSession(sessionMetadata(session))).toBe(session);
  });

  test("counts as not said when it is malformed", () => {
    for (const text of ["", "0", "01", "-1", "1.5", "1e3", " 1", "1000000000000000", "x"])
      expect(readSession({ agsession: text })).toBeUndefined();
    expect(readSession({})).toBeUndefined();
  });
});
