import { untrack } from "svelte";
import type { ActivityAnswer, ActivityStep, TypeActivityRow } from "../../src/admin/internal.ts";
import type { Api } from "./api.ts";
import type { UnansweredHost } from "./hosts.ts";

/** The numbers of the counters that the page shows. */
export interface Present {
  readonly pendingCalls: number;
  readonly queuedBytes: number;
  readonly heldBytes: number;
  readonly channels: number;
  readonly agentTypes: number;
  readonly claims: number;
}

/** A step with what waited at the hosts when this page has got it. */
export interface Moment extends ActivityStep {
  readonly pendingCalls: number;
}

/** Steps that are shown: five minutes. */
export const places = 150;

/** The activity of all hosts of a cluster, or of one, over time. It lasts as long as the tab, so that a reader who comes back finds the line that was there. */
class Timeline {
  /** The oldest first. Null: no page has watched then. */
  moments: readonly (Moment | null)[] = $state.raw([]);
  types: readonly TypeActivityRow[] = $state.raw([]);
  present: Present | undefined = $state.raw(undefined);
  stepMs: number = $state(2_000);
  /** Hosts whose numbers are missing. */
  unanswered: readonly UnansweredHost[] = $state.raw([]);
  /** The host of which the moments are. Undefined: all hosts. */
  #host: string | undefined;

  async read(api: Api, host: string | undefined, signal: AbortSignal): Promise<void> {
    if (host !== this.#host) this.clear();
    this.#host = host;
    // The question does not depend on it: a new step does not make it ask at once.
    const known = untrack(() => this.moments.at(-1)?.number ?? 0);
    const [activity, { counters }] = await Promise.all([
      api.get<ActivityAnswer>("/v1/activity", { step: known, host }, signal),
      api.get<{ readonly counters: Present }>("/v1/counters", { host }, signal),
    ]);
    this.stepMs = activity.stepMs;
    this.types = activity.types;
    this.unanswered = activity.unanswered;
    this.present = counters;
    // The clock of the host was set back while it did not run.
    if (activity.step < known) this.moments = [];
    let moments = [...this.moments];
    for (const step of activity.steps) {
      const gapMs = Date.parse(step.time) - Date.parse(moments.at(-1)?.time ?? step.time);
      const missing = Math.min(places, Math.round(gapMs / this.stepMs) - 1);
      for (let count = 0; count < missing; count += 1) moments.push(null);
      moments.push({ ...step, pendingCalls: counters.pendingCalls });
    }
    moments = moments.slice(-places);
    this.moments = moments;
  }

  clear(): void {
    this.moments = [];
    this.types = [];
    this.unanswered = [];
    this.present = undefined;
  }
}

export const timeline = new Timeline();
