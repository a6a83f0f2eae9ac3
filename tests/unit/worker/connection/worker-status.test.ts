import { expect, test } from "vitest";
import { StatusBoard, type WorkerStatus } from "../../../../src/worker/connection/worker-status.ts";

const draining: WorkerStatus = { at: "draining" };
const closed: WorkerStatus = { at: "closed", reason: "it was stopped" };

function readerOf(board: StatusBoard) {
  return board.read()[Symbol.asyncIterator]();
}

test("a reader that waits for a change can stop at once", async () => {
  const reader = readerOf(new StatusBoard());
  await reader.next();
  const waiting = reader.next();
  expect(await reader.return?.()).toEqual({ done: true, value: undefined });
  expect(await waiting).toEqual({ done: true, value: undefined });
  expect(await reader.next()).toEqual({ done: true, value: undefined });
});

test("a reader gets the latest at once, then each change, and ends after `closed`", async () => {
  const board = new StatusBoard();
  const reader = readerOf(board);
  expect((await reader.next()).value).toEqual({ at: "idle" });
  const changes = [reader.next(), reader.next(), reader.next()];
  board.set(draining);
  board.set(closed);
  const ended = { done: true, value: undefined };
  expect(await Promise.all(changes)).toEqual([{ done: false, value: draining }, { done: false, value: closed }, ended]);
  expect(await reader.next()).toEqual(ended);
});

test("a reader that was slow gets the latest only", async () => {
  const board = new StatusBoard();
  const reader = readerOf(board);
  await reader.next();
  board.set(draining);
  board.set(closed);
  expect((await reader.next()).value).toEqual(closed);
});
