import fc from "fast-check";
import { expect, test } from "vitest";
import type { Frame } from "../../../src/protocol/index.ts";
import { hostTransports } from "../../support/host-transports.ts";
import { beginStream, chunk, streaming } from "../../support/raw-streams.ts";
import { RawWorker } from "../../support/raw-worker.ts";

const [memory] = hostTransports;
if (memory === undefined) throw new Error("There is a memory link.");
const { start } = memory;

/** The ids that an attacker guesses: that of the caller, that of the target, others. */
const guess = fc.constantFrom("own", "of the target", "7", "", "x".repeat(2_000));
const amount = fc.constantFrom(0, 1, 64, 1_024, 100_000, Number.MAX_SAFE_INTEGER);
const attack = fc.record({
  by: fc.constant("attacker" as const),
  does: fc.constantFrom("chunk", "credit", "cancel", "answer"),
  id: guess,
  amount,
});
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ by: fc.constant("target" as const), bytes: fc.integer({ min: 0, max: 700 }) }) },
  {
    weight: 4,
    arbitrary: fc.record({ by: fc.constant("reader" as const), grants: fc.integer({ min: 0, max: 3_000 }) }),
  },
  { weight: 4, arbitrary: attack },
);
const end = fc.constantFrom("answer", "cancel", "target lost", "beyond the grant");

/** The stream of one call: chunks that were sent within the grant, and frames that its reader got. */
interface Seen {
  readonly sent: number;
  readonly frames: readonly Frame[];
}

test("any interleaving of chunks, grants, an attacker's frames and ends gives chunks in order and one outcome", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), end, async (steps, last) => {
      await using rig = await start();
      const target = await new RawWorker(rig.dial(), "T", streaming).join();
      await target.register("poet");
      const caller = await new RawWorker(rig.dial(), "C", streaming).join();
      const attacker = await new RawWorker(rig.dial(), "A", streaming).join();
      const requestId = await beginStream(caller, target);
      const frames: Frame[] = [];
      let [sent, sentBytes, grantedBytes, askedBytes] = [0, 0, 1_024, 1_024];
      for (const one of steps) {
        if (one.by === "attacker") {
          const id = one.id === "of the target" ? requestId : one.id;
          if (one.does === "chunk") attacker.send(chunk(id, one.amount, 8));
          else if (one.does === "credit") attacker.send({ kind: "credit", requestId: id, bytes: one.amount });
          else if (one.does === "cancel") attacker.send({ kind: "cancel", requestId: id, reason: "cancelled" });
          else attacker.respond(id, "forged");
          await attacker.settled();
        } else if (one.by === "reader") {
          askedBytes += one.grants;
          caller.send({ kind: "credit", requestId: "7", bytes: askedBytes });
          frames.push(...(await caller.settled()));
          grantedBytes = grantedIn(await target.settled(), requestId, grantedBytes);
        } else if (sentBytes < grantedBytes) {
          target.send(chunk(requestId, sent, one.bytes));
          sent += 1;
          sentBytes += one.bytes + 64;
          grantedBytes = grantedIn(await target.settled(), requestId, grantedBytes);
        }
        expect(grantedBytes).toBeLessThanOrEqual(askedBytes);
      }
      await endStream(last, { caller, target, requestId, sent, sentBytes, grantedBytes, askedBytes });
      frames.push(...(await caller.settled()));
      check(last, { sent, frames });
      expect(rig.host.counters().pendingCalls).toBe(0);
      // The attacker has done nothing else than before.
      expect(await attacker.settled()).toEqual([]);
    }),
    { numRuns: 100 },
  );
});

/** The most that the target was granted. No grant is smaller than one before. */
function grantedIn(frames: readonly Frame[], requestId: string, before: number): number {
  let granted = before;
  for (const frame of frames) {
    if (frame.kind !== "credit") throw new Error(`The target got a ${frame.kind}.`);
    expect(frame.requestId).toBe(requestId);
    expect(frame.bytes).toBeGreaterThan(granted);
    granted = frame.bytes;
  }
  return granted;
}

async function endStream(
  how: string,
  {
    caller,
    target,
    requestId,
    sent,
    sentBytes,
    grantedBytes,
    askedBytes,
  }: {
    readonly caller: RawWorker;
    readonly target: RawWorker;
    readonly requestId: string;
    readonly sent: number;
    readonly sentBytes: number;
    readonly grantedBytes: number;
    readonly askedBytes: number;
  },
): Promise<void> {
  if (how === "answer") target.respond(requestId, "the answer");
  else if (how === "cancel") caller.send({ kind: "cancel", requestId: "7", reason: "cancelled" });
  else if (how === "target lost") {
    target.stream.cancel();
    await target.ended;
    return;
  } else {
    // The first one uses up all that the reader grants, if anything is granted.
    if (sentBytes < grantedBytes) target.send(chunk(requestId, sent, askedBytes));
    target.send(chunk(requestId, sent + 1));
    target.send(chunk(requestId, sent + 2));
  }
  await target.settled();
}

function check(how: string, { sent, frames }: Seen): void {
  const chunks = frames.filter((frame) => frame.kind === "chunk");
  const outcomes = frames.filter((frame) => frame.kind === "response");
  const more = how === "beyond the grant" && chunks.length > sent ? 1 : 0;
  expect(chunks.map(({ offset }) => offset)).toEqual(Array.from({ length: sent + more }, (_, offset) => offset));
  expect(chunks.length + outcomes.length).toBe(frames.length);
  expect(outcomes).toHaveLength(how === "cancel" ? 0 : 1);
  if (how !== "cancel") expect(frames.at(-1)).toBe(outcomes[0]);
  const codes = { answer: undefined, "target lost": "disconnected", "beyond the grant": "invalid-message" };
  if (how in codes) expect(outcomes[0]?.metadata.agerrorcode).toBe(Reflect.get(codes, how));
}
