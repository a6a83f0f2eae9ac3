import type { FailurePage } from "../../../src/admin/internal.ts";

type Failure = FailurePage["rows"][number];

/** Failures of one kind, with one code, of one agent type or topic. */
export interface FailureGroup {
  readonly id: string;
  readonly kind: string;
  readonly code: string;
  readonly type: string | null;
  readonly topic: string | null;
  /** The newest first. */
  readonly failures: readonly Failure[];
  readonly newest: Failure;
  /** The trace of the newest failure that has one. */
  readonly traceId: string | null;
}

/** Groups failures, the newest first. The group with the newest failure comes first. */
export function groupsOf(failures: readonly Failure[]): readonly FailureGroup[] {
  const byId = new Map<string, Failure[]>();
  for (const failure of failures) {
    const id = JSON.stringify([failure.kind, failure.code, failure.type, failure.topic]);
    const group = byId.get(id);
    if (group === undefined) byId.set(id, [failure]);
    else group.push(failure);
  }
  return [...byId].flatMap(([id, all]) => {
    const [newest] = all;
    if (newest === undefined) return [];
    const { kind, code, type, topic } = newest;
    const traceId = all.find((failure) => failure.traceId !== null)?.traceId ?? null;
    return [{ id, kind, code, type, topic, failures: all, newest, traceId }];
  });
}
