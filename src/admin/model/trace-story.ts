import type { ListedHost, TracedHop } from "../../host/internal.ts";

/** A hop of a story. */
export interface StoryHop {
  /** Its place in the story. */
  readonly number: number;
  /** The hop whose handler has sent this one. Null: it is not known, or the caller may not see it. */
  readonly parent: number | null;
  readonly kind: "call" | "event";
  readonly time: string;
  /** Milliseconds from the beginning of the story to this hop, and to its outcome from there. Null: it has none yet. */
  readonly startMs: number;
  readonly ms: number | null;
  /** `type/key`. Null: it names none. `hidden`: one of a type that the caller may not see. */
  readonly sender: string | null;
  readonly type: string | null;
  readonly key: string | null;
  readonly topic: string | null;
  readonly outcome: string;
  readonly code: string | null;
  /** The host that has told of it. Null: the host is alone. */
  readonly host: ListedHost | null;
}

/** A hop that may have no outcome yet. */
export type TimedHop = Omit<TracedHop, "ms" | "isPlaced" | "isOfOtherHost"> & { readonly ms: number | null };

/** Puts hops in the order in which they came, and finds for each the one whose handler has sent it. */
export function storyOf<Hop extends TimedHop>(
  hops: readonly Hop[],
): readonly { readonly hop: Hop; readonly parent: number | null; readonly startMs: number }[] {
  const sorted = hops.toSorted((one, other) => one.startedMs - other.startedMs);
  const beganMs = sorted[0]?.startedMs ?? 0;
  return sorted.map((hop, place) => ({
    ...{ hop, startMs: hop.startedMs - beganMs },
    parent: parentOf(sorted, place),
  }));
}

/** The latest call to the agent that has sent a hop, of those that were under way when the hop came. */
function parentOf(sorted: readonly TimedHop[], place: number): number | null {
  const { sender, startedMs } = sorted[place] ?? {};
  if (sender === undefined || startedMs === undefined) return null;
  for (let at = place - 1; at >= 0; at -= 1) {
    const call = sorted[at];
    if (call?.type !== sender.type || call.key !== sender.key) continue;
    if (call.ms === null || call.startedMs + call.ms >= startedMs) return at;
  }
  return null;
}
