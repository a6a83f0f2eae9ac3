import fc from "fast-check";
import { expect, it } from "vitest";
import { HostIds } from "../../../../src/host/calls/host-ids.ts";
import { encodeFrame, type PeekedResponse, peekFrame } from "../../../../src/protocol/index.ts";

const ids = new HostIds("1a2b3c4d");

function answerTo(requestId: string): PeekedResponse {
  const peeked = peekFrame(
    encodeFrame({ kind: "response", requestId, payload: undefined, error: "", metadata: { a: "b" } }),
  );
  if (peeked.kind !== "response") throw new Error("not an answer");
  return peeked;
}

it("are read back from an answer as they were written", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.nat(),
        fc.maxSafeNat().filter((id) => id < 1e15),
      ),
      (number) => {
        const id = number + 1;
        expect(ids.textOf(id)).toBe(`1a2b3c4d-${id}`);
        expect(ids.numberIn(answerTo(ids.textOf(id)))).toBe(id);
      },
    ),
  );
});

it.each(["", "1", "1a2b3c4d", "1a2b3c4d-", "1a2b3c4e-7", "1a2b3c4d-07", "1a2b3c4d-7x", "1a2b3c4d--7", "x1a2b3c4d-7"])(
  "are not seen in an id that this host has not made: %j",
  (other) => {
    expect(ids.numberIn(answerTo(other))).toBe(-1);
  },
);

it("are not seen in an id of more digits than there are calls", () => {
  expect(ids.numberIn(answerTo(`1a2b3c4d-${"1".repeat(400)}`))).toBe(-1);
});
