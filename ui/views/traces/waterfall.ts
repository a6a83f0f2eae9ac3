import type { StoryAnswer } from "../../../src/admin/internal.ts";

export type Hop = StoryAnswer["hops"][number];

/** A hop where the waterfall shows it. */
export interface Bar {
  readonly hop: Hop;
  readonly depth: number;
  /** Its place on the line of time, from 0 to 1, and its length. */
  readonly from: number;
  readonly length: number;
  /** The time that it has waited for nothing but itself: without the calls that its handler made. Null: it has no outcome yet. */
  readonly ownMs: number | null;
  /** True: it took at least a third of the whole time by itself. */
  readonly isSlow: boolean;
  readonly isFailed: boolean;
}

/** Puts hops in the order of a tree: each behind the one that has sent it. */
export function barsOf(hops: readonly Hop[]): readonly Bar[] {
  const wholeMs = Math.max(0.001, ...hops.map(({ startMs, ms }) => startMs + (ms ?? 0)));
  const children = new Map<number | null, Hop[]>();
  for (const hop of hops) {
    const known = children.get(hop.parent);
    if (known === undefined) children.set(hop.parent, [hop]);
    else known.push(hop);
  }
  const bars: Bar[] = [];
  const add = (hop: Hop, depth: number): void => {
    const inner = children.get(hop.number) ?? [];
    const ownMs = hop.ms === null ? null : ownTime(hop, hop.ms, inner);
    const length = (hop.ms ?? wholeMs - hop.startMs) / wholeMs;
    bars.push({
      ...{ hop, depth, from: hop.startMs / wholeMs, length, ownMs },
      isSlow: hops.length > 1 && (ownMs ?? 0) >= wholeMs / 3,
      isFailed: hop.outcome === "failed" || hop.outcome === "abandoned" || hop.outcome === "missed",
    });
    for (const one of inner) add(one, depth + 1);
  };
  for (const hop of children.get(null) ?? []) add(hop, 0);
  return bars;
}

/** The part of a hop's time that none of its inner calls covers. They may overlap. */
function ownTime({ startMs }: Hop, ms: number, inner: readonly Hop[]): number {
  let [covered, upTo] = [0, startMs];
  for (const { startMs: from, ms: length, kind } of inner) {
    if (kind === "event") continue;
    const end = Math.min(startMs + ms, from + (length ?? Number.POSITIVE_INFINITY));
    covered += Math.max(0, end - Math.max(upTo, from));
    upTo = Math.max(upTo, end);
  }
  return Math.max(0, ms - covered);
}
