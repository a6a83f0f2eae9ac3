import type { MessageInitShape } from "@bufbuild/protobuf";
import type { RunChange, RunState } from "../../core/internal.ts";
import { safe } from "../frames/wire-epoch.ts";
import {
  type RunChangeSchema,
  type StoredRunSchema,
  type RunChange as WireChange,
  RunState as WireState,
  type StoredRun as WireStoredRun,
} from "../gen/troupe/v1/states_pb.ts";
import type { WireRun } from "./states-messages.ts";

// protocol.md §11.24
export function toWireState(state: RunState): WireState {
  switch (state) {
    case "working":
      return WireState.WORKING;
    case "completed":
      return WireState.COMPLETED;
    case "failed":
      return WireState.ENDED_FAILED;
    case "cancelled":
      return WireState.CANCELLED;
  }
}

/** Throws for a state that this version does not know. */
export function fromWireState(state: WireState): RunState {
  switch (state) {
    case WireState.WORKING:
      return "working";
    case WireState.COMPLETED:
      return "completed";
    case WireState.ENDED_FAILED:
      return "failed";
    case WireState.CANCELLED:
      return "cancelled";
    default:
      throw new Error(`it has a run in the state ${String(state)}`);
  }
}

export function toWireRunChange(change: RunChange): MessageInitShape<typeof RunChangeSchema> {
  const { id } = change;
  switch (change.at) {
    case "create": {
      const { message, principal, owner, depth, startedAtMs, deadlineMs, keepMs } = change;
      const times = { startedAtMs: BigInt(startedAtMs), keepMs: BigInt(keepMs), ...deadlineOf(deadlineMs) };
      return { id, change: { case: "create", value: { message, principal, owner, depth, ...times } } };
    }
    case "append":
      return { id, change: { case: "append", value: { from: BigInt(change.from), chunks: [...change.chunks] } } };
    case "takeover":
    case "step":
      return { id, change: { case: change.at, value: true } };
    case "end":
      return { id, change: { case: "end", value: { status: toWireState(change.status), outcome: change.outcome } } };
  }
}

/** Throws for a change that says nothing, and for an end that is none. */
export function fromWireRunChange({ id, change }: WireChange): RunChange {
  switch (change.case) {
    case "create": {
      const { message, principal, owner, depth, startedAtMs, deadlineMs, keepMs } = change.value;
      const deadline = deadlineMs === undefined ? undefined : safe(deadlineMs);
      const times = { startedAtMs: safe(startedAtMs), deadlineMs: deadline, keepMs: safe(keepMs) };
      return { at: "create", id, message, principal, owner, depth, ...times };
    }
    case "append":
      return { at: "append", id, from: safe(change.value.from), chunks: change.value.chunks };
    case "takeover":
    case "step":
      return { at: change.case, id };
    case "end": {
      const status = fromWireState(change.value.status);
      if (status === "working") throw new Error("it ends a run that works");
      return { at: "end", id, status, outcome: change.value.outcome };
    }
    case undefined:
      throw new Error("it says nothing about a run");
  }
}

export function toWireRun(run: WireRun): MessageInitShape<typeof StoredRunSchema> {
  const { id, status, principal, owner, depth, takeovers, deadlineMs } = run;
  return {
    ...{ id, status: toWireState(status), principal, owner, depth, takeovers },
    ...{ startedAtMs: BigInt(run.startedAtMs), keepMs: BigInt(run.keepMs), updatedAtMs: whole(run.updatedAtMs) },
    ...{ first: BigInt(run.first), next: BigInt(run.next), bytes: BigInt(run.bytes), ...deadlineOf(deadlineMs) },
  };
}

/** Throws for a state that this version does not know. */
export function fromWireRun(run: WireStoredRun): WireRun {
  const { id, status, principal, owner, depth, takeovers, deadlineMs } = run;
  return {
    ...{ id, status: fromWireState(status), principal, owner, depth, takeovers },
    ...{ startedAtMs: safe(run.startedAtMs), keepMs: safe(run.keepMs), updatedAtMs: safe(run.updatedAtMs) },
    ...{ first: safe(run.first), next: safe(run.next), bytes: safe(run.bytes) },
    deadlineMs: deadlineMs === undefined ? undefined : safe(deadlineMs),
  };
}

function deadlineOf(deadlineMs: number | undefined): { readonly deadlineMs?: bigint } {
  return deadlineMs === undefined ? {} : { deadlineMs: BigInt(deadlineMs) };
}

/** A wall clock may know parts of milliseconds. */
function whole(ms: number): bigint {
  return BigInt(Math.floor(ms));
}
