import { type CallPath, waitingTurns } from "../../core/internal.ts";
import { type PeekedRequest, parsePath, pathText, withPath } from "../../protocol/internal.ts";
import type { CallTable } from "./call-table.ts";

/** The part of the call table that tells which calls are over. */
export type EndedCalls = Pick<CallTable, "isOver">;

// protocol.md §11.13
/** Returns the turns of a call's path that still wait for it, as far as the host knows. None for a path that no Troupe worker writes. */
export function waitingPathOf({ path }: PeekedRequest, calls: EndedCalls): CallPath {
  return path === "" ? [] : waitingTurns(parsePath(path), ({ token }) => calls.isOver(token));
}

/**
 * Returns a call without the turns of its path that wait for it no more. Its worker may have sent it before it heard that a caller has
 * given a call up.
 */
export function onWaitingPath(request: PeekedRequest, calls: EndedCalls): PeekedRequest {
  if (request.path === "") return request;
  const path = parsePath(request.path);
  const waiting = waitingTurns(path, ({ token }) => calls.isOver(token));
  return waiting === path ? request : withPath(request, pathText(waiting));
}
