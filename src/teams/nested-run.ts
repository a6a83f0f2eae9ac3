import { createHash } from "node:crypto";
import {
  type AgentId,
  type AgentRuntime,
  type CallScope,
  followAbort,
  type MessageMetadata,
  type MessageType,
  type Run,
  TroupeError,
  unfollowAbort,
} from "../core/internal.ts";

/** Most characters of the id of a run. */
const longestId = 256;

/** Names the run by which a handler of a run asks another agent. The same part of the same run has the same name at each worker. */
export function nestedRunId(run: string, part: string | number): string {
  const id = `${run}/${part}`;
  return id.length <= longestId ? id : `~${createHash("sha256").update(id).digest("hex")}`;
}

/** A run that asks another agent, for a handler that is the turn of a run itself. */
export interface NestedAsk {
  readonly id: string;
  readonly to: AgentId;
  readonly message: object;
  readonly metadata?: MessageMetadata | undefined;
  readonly type: MessageType;
  readonly runtime: AgentRuntime;
  /** The scope of the handler. Its agent asks, and the run takes no longer than the handler may. */
  readonly scope: CallScope;
  readonly signal: AbortSignal;
  /** Milliseconds that the run may take. Undefined: the time that is left to the handler. */
  readonly timeoutMs: number | undefined;
  /** Whether the run has begun for an earlier worker of the handler: it is not started once more. */
  readonly hasBegun: boolean;
}

/** A run that a handler reads. */
export interface NestedRun {
  readonly run: Run<unknown, unknown>;
  /** The handler reads it no more. */
  readonly letGo: () => void;
}

/**
 * Starts a run, or finds it again. It is cancelled when the signal aborts, unless the handler continues at another worker: that one finds the run.
 */
export async function openNestedRun(ask: NestedAsk): Promise<NestedRun> {
  const { id, to, message, metadata, type, runtime, scope, signal, hasBegun } = ask;
  const sender = scope.agentId;
  const attached: Run<unknown, unknown> = runtime.attachRun(to, id, { sender, message: type });
  const onAbort = () => {
    if (TroupeError.from(signal.reason).code === "shutting-down") return;
    // Where the agent can't be reached, its run ends by its own time.
    attached.cancel(`${sender} does not wait for it any more.`).catch(() => undefined);
  };
  const letGo = () => unfollowAbort(signal, onAbort);
  signal.throwIfAborted();
  followAbort(signal, onAbort);
  if (hasBegun) return { run: attached, letGo };
  try {
    const timeoutMs = timeOf(ask);
    const run = await runtime.startRun<object>(message, to, { id, sender, signal, scope, metadata, timeoutMs });
    return { run, letGo };
  } catch (error) {
    letGo();
    throw error;
  }
}

/** Returns the error of a run that was not found again, and any other one as it is. */
export function lostNestedRun(error: unknown, { hasBegun, to }: Pick<NestedAsk, "hasBegun" | "to">): unknown {
  if (!hasBegun || !(error instanceof TroupeError) || (error.code !== "not-found" && error.code !== "gone"))
    return error;
  const text = `The outcome is unknown: ${to} does not keep the run of this call any more. It may have done what it was asked.`;
  return new TroupeError("gone", text, { cause: error });
}

function timeOf({ timeoutMs, scope }: NestedAsk): number | undefined {
  const leftMs = Math.min(
    timeoutMs ?? Number.POSITIVE_INFINITY,
    scope.deadline?.remainingMs() ?? Number.POSITIVE_INFINITY,
  );
  return Number.isFinite(leftMs) ? Math.max(1, leftMs) : undefined;
}
