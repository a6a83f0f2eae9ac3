import { describe, expect, test } from "vitest";
import { AgentId } from "../../src/core/index.ts";
import { encodeFrame, type Frame } from "../../src/protocol/index.ts";
import { Simulation } from "../../src/testing/index.ts";
import { type CallRecord, Ledger, type Run } from "./ledger.ts";
import type { PlannedCall } from "./plan.ts";
import { ringAsTold, ringOf } from "./rings.ts";
import { Trace } from "./trace.ts";

const plan: PlannedCall = {
  ...{ target: 0, key: "a", timeoutMs: undefined, abortAfterMs: undefined, inheritsSignal: true },
  behaviour: { delayMs: 0, nested: [], publishes: [], ends: "answers" },
};
const givenUp = { at: "failed", code: "shutting-down", text: "", isUnhandled: false } as const;

/** A ledger whose calls all go to sequential agents, and a host that reads one channel. */
function world() {
  let ms = 0;
  const process = new Simulation({ seed: 1 }).process("w0");
  const trace = new Trace(() => ms, false);
  const ledger = new Ledger(trace, () => ms);
  const channel = ledger.hearing.channel();
  ledger.sequentialTypes.add("type-0");

  const hears = (frame: Frame): void => {
    ledger.hearing.sees(frame);
    channel.in?.(encodeFrame(frame), () => undefined);
  };
  const call = (key: string, from?: CallRecord): CallRecord => {
    const target = new AgentId("type-0", key);
    const parentRun = from?.runs[0];
    const record = ledger.openCall({ plan, target, callerSeat: 0, servers: [0], process, parent: from, parentRun });
    const payload = {
      typeName: "Task",
      contentType: "application/json",
      data: new TextEncoder().encode(JSON.stringify({ call: record.name })),
    };
    const ids = { requestId: record.name, source: undefined, target: { type: "type-0", key } };
    hears({ kind: "request", ...ids, payload, metadata: {} });
    return record;
  };
  const run = (of: CallRecord): Run => {
    const token = `run of ${of.name}`;
    const begun: Run = {
      ...{ token, agent: of.target.toString(), process: process.name, begunMs: ms },
      ...{ ended: undefined, endedMs: Number.POSITIVE_INFINITY, told: undefined },
    };
    of.runs.push(begun);
    return begun;
  };
  const at = (now: number): void => {
    ms = now;
  };
  return { ledger, hears, call, run, at };
}

/** A turn of `first` waits for `lost`, whose handler calls `last`. Another turn has made `behind`, which waits for the turn of `first`. */
function almostRing() {
  const parts = world();
  const { at, call, run, hears, ledger } = parts;
  const first = call("a");
  const other = call("c");
  at(1);
  const turn = run(first);
  run(other);
  at(2);
  const lost = call("b", first);
  const behind = call("a", other);
  hears({ kind: "stuck", requestId: behind.name, path: "", behind: [first.name] });
  at(3);
  run(lost);
  at(10);
  turn.endedMs = 10;
  ledger.closeCall(lost, givenUp);
  at(20);
  const last = call("c", lost);
  return { ...parts, first, lost, behind, last };
}

describe("a ring of calls of which one was given up", () => {
  test("is none, but the host that has not read that must take it for one", () => {
    const { ledger, last, lost, behind, first } = almostRing();
    expect(ringOf(last, ledger, 30)).toBeUndefined();
    expect(ringAsTold(last, ledger, 30)).toEqual(expect.arrayContaining([last, behind, lost]));
    expect(ringAsTold(last, ledger, 30)).not.toContain(first);
  });

  test("is none for the host that has read that the caller waits no more", () => {
    const { ledger, hears, at, last, lost } = almostRing();
    at(25);
    hears({ kind: "cancel", requestId: lost.name, reason: "cancelled" });
    expect(ringAsTold(last, ledger, 25)).toBeDefined();
    expect(ringAsTold(last, ledger, 26)).toBeUndefined();
  });

  test("is none for the host that has read that the call waits no more behind the turn", () => {
    const { ledger, hears, at, last, behind } = almostRing();
    at(25);
    hears({ kind: "unstuck", requestId: behind.name });
    expect(ringAsTold(last, ledger, 25)).toBeDefined();
    expect(ringAsTold(last, ledger, 26)).toBeUndefined();
  });
});
