import { expect, test } from "vitest";
import { BearerToken } from "../../../src/http/internal.ts";

test("a token is shown as Bearer, whatever the letters of that word", () => {
  const token = new BearerToken("s3cret-token");
  expect(token.isShownBy("Bearer s3cret-token")).toBe(true);
  expect(token.isShownBy("bearer s3cret-token")).toBe(true);
});

test.each([
  undefined,
  "",
  "Bearer",
  "Bearer ",
  "Bearer s3cret-toke",
  "Bearer s3cret-token2",
  "Bearer s3cret-tokem",
  "Bearer  s3cret-token",
  "Basic s3cret-token",
  "s3cret-token",
  "Bearer s3cret-token\0",
  "Bearer S3CRET-TOKEN",
])("%j does not show the token", (header) => {
  expect(new BearerToken("s3cret-token").isShownBy(header)).toBe(false);
});

test("an empty token is refused, because every client could show it", () => {
  expect(() => new BearerToken("")).toThrow(/must not be empty/);
});
