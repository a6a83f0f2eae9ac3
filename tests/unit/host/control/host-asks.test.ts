import { expect, test } from "vitest";
import type { ControlSession } from "../../../../src/host/control/control-session.ts";
import { HostAsks } from "../../../../src/host/control/host-asks.ts";
import { type ControlBody, decodeControl } from "../../../../src/protocol/internal.ts";
import { ManualClock } from "../../../../src/testing/index.ts";

const agentId = { type: "a", key: "b" };
const request = { kind: "deactivate-request", agentId } as const;

function start() {
  const clock = new ManualClock();
  let made = 0;
  const makeId = () => {
    made += 1;
    return `id-${made}`;
  };
  const asks = new HostAsks({ clock, makeId });
  const sent: ReturnType<typeof decodeControl>[] = [];
  let takes = true;
  const send = (bytes: Uint8Array) => {
    if (takes) sent.push(decodeControl(bytes));
    return takes;
  };
  // Of a session the asks use nothing else.
  const sessionOf = (id: string) => ({ id, send }) as unknown as ControlSession;
  const worker = sessionOf("W");
  const ask = (signal?: AbortSignal) => asks.ask(worker, request, { timeoutMs: 1_000, signal });
  const answer = (body: ControlBody | undefined, from = worker, rpcId = `id-${made}`, respondTo = "") =>
    asks.answered(from, { rpcId, destination: "clientid=troupe.host", respondTo, body });
  const refuse = () => {
    takes = false;
  };
  return { asks, clock, sent, worker, sessionOf, ask, answer, refuse };
}

test("a request of the host goes to the worker of the agent, and its answer is taken once", async () => {
  const { asks, sent, ask, answer } = start();
  const asked = ask();
  expect(sent).toEqual([
    { rpcId: "id-1", destination: "agentid=a/b", respondTo: "clientid=troupe.host", body: request },
  ]);
  expect(answer({ kind: "deactivate-response", error: undefined })).toBe(true);
  expect(answer({ kind: "deactivate-response", error: undefined })).toBe(false);
  expect(await asked).toEqual({ kind: "deactivate-response", error: undefined });
  expect(asks.size).toBe(0);
});

test("an answer of another worker, to another request or with a respond_to is none", async () => {
  const { asks, ask, answer, sessionOf } = start();
  const asked = ask();
  const fine = { kind: "deactivate-response", error: undefined } as const;
  expect(answer(fine, sessionOf("V"))).toBe(false);
  expect(answer(fine, undefined, "id-2")).toBe(false);
  expect(answer(fine, undefined, "id-1", "clientid=W")).toBe(false);
  expect(asks.size).toBe(1);
  expect(answer(fine)).toBe(true);
  await asked;
});

test("the worker's error, a body that is no answer, the end of its channel and the time limit end the wait with what happened", async () => {
  const { asks, ask, answer, worker, sessionOf, clock } = start();
  const failed = ask();
  answer({ kind: "deactivate-response", error: "it is busy" });
  await expect(failed).rejects.toMatchObject({ code: "not-accessible", message: "Worker W: it is busy" });
  const leaves = ask();
  answer({ kind: "deactivate-response", error: "shutting-down: it leaves" });
  await expect(leaves).rejects.toMatchObject({ code: "shutting-down", message: "Worker W: it leaves" });
  const odd = ask();
  answer({ kind: "unknown", typeUrl: "x" });
  await expect(odd).rejects.toMatchObject({ code: "unexpected-answer" });
  const lost = ask();
  asks.sessionEnded(sessionOf("V"));
  asks.sessionEnded(worker);
  await expect(lost).rejects.toMatchObject({ code: "disconnected" });
  const late = ask();
  clock.advance(1_000);
  await expect(late).rejects.toMatchObject({ code: "timed-out" });
  expect(asks.size).toBe(0);
});

test("the caller's signal ends the wait, and a full channel or 100 requests refuse one more", async () => {
  const { asks, ask, answer, refuse, clock } = start();
  const control = new AbortController();
  const given = ask(control.signal);
  control.abort(new Error("enough"));
  await expect(given).rejects.toThrow("enough");
  await expect(ask(control.signal)).rejects.toThrow("enough");
  const many = Array.from({ length: 100 }, () => ask());
  await expect(ask()).rejects.toMatchObject({ code: "overloaded" });
  expect(answer({ kind: "deactivate-response", error: undefined })).toBe(true);
  await many.at(-1);
  refuse();
  await expect(ask()).rejects.toMatchObject({ code: "overloaded", notHandled: true });
  const ended = Promise.allSettled(many);
  clock.advance(1_000);
  await ended;
  expect(asks.size).toBe(0);
});
