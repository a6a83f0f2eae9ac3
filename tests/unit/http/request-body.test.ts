import { Readable } from "node:stream";
import { expect, test } from "vitest";
import { readBody } from "../../../src/http/request-body.ts";

test("a body whose bytes come one by one takes what its pieces hold, and is refused beyond it", async () => {
  let held = 0;
  const account = {
    take: (bytes: number) => {
      if (held + bytes > 64 * 1024) return false;
      held += bytes;
      return true;
    },
    whyNot: () => "There is no space.",
    close: () => undefined,
  };
  const bytes = function* (count: number): Iterable<Buffer> {
    for (let at = 0; at < count; at += 1) yield Buffer.from("x");
  };
  const read = (count: number) => {
    const request = Object.assign(Readable.from(bytes(count)), { headers: {} });
    // The part of a request that is read.
    return readBody(request as never, { maxBytes: 16 * 1024, account, signal: new AbortController().signal });
  };
  expect(await read(100)).toHaveLength(100);
  expect(held).toBeGreaterThan(100 * 200);
  await expect(read(1_000)).rejects.toMatchObject({ status: 503, message: "There is no space." });
});
