import type { FeedEvent } from "../../admin/internal.ts";
import { errorText, TroupeError } from "../../core/internal.ts";
import { type AdminClient, type AdminParameters, HostGoneError } from "../admin/admin-client.ts";
import { EventStreamReader } from "./event-stream-reader.ts";

/** Something that a feed tells. `lost`: events are missing here; how many may not be known. `unanswered`: a host of the cluster does not tell its own. */
export type Told =
  | { readonly at: "unanswered"; readonly hostId: string; readonly name: string; readonly problem: string }
  | { readonly at: "event"; readonly event: FeedEvent }
  | { readonly at: "lost"; readonly count: number | null };

export interface FollowOptions {
  /** Finds the host anew for each connection: one that was started again has another address and token. */
  readonly find: () => Promise<AdminClient>;
  readonly filter: AdminParameters;
  /** Ends the following. */
  readonly signal: AbortSignal;
  /** Waits before the next attempt. Rejects when the signal aborts. */
  readonly wait: (ms: number) => Promise<void>;
  readonly onOpen?: (() => void) | undefined;
  /** Called when the connection is lost; the next attempt follows. */
  readonly onCut?: ((why: string) => void) | undefined;
}

/** A host says something each 15 s. */
const quietMs = 45_000;
const firstWaitMs = 250;
const longestWaitMs = 5_000;

/**
 * Follows the feed of a host over cuts and restarts until the signal aborts. Throws the error of the first attempt, and later ones that another attempt does not
 * mend.
 */
export async function* followFeed(options: FollowOptions): AsyncGenerator<Told> {
  const { find, filter, signal, wait, onOpen, onCut } = options;
  let lastEventId: string | undefined;
  let waitMs = firstWaitMs;
  let hasBegun = false;
  while (!signal.aborted) {
    const reader = new EventStreamReader();
    try {
      const client = await find();
      const chunks = await client.stream("/v1/feed", filter, { lastEventId, quietMs, signal });
      hasBegun = true;
      waitMs = firstWaitMs;
      onOpen?.();
      for await (const chunk of chunks) {
        for (const { id, name, data } of reader.read(chunk)) {
          lastEventId = id;
          yield toldBy(name, data);
        }
        // A sign of life moves the place, too.
        lastEventId = reader.lastEventId ?? lastEventId;
      }
      if (!signal.aborted) onCut?.("the host has ended the feed");
    } catch (error) {
      if (signal.aborted) return;
      if (!hasBegun || !isPassing(error)) throw error;
      onCut?.(errorText(error));
    }
    try {
      await wait(waitMs);
    } catch (error) {
      if (signal.aborted) return;
      throw error;
    }
    waitMs = Math.min(2 * waitMs, longestWaitMs);
  }
}

/** Whether another attempt may succeed: errors of a socket are no errors of Troupe. */
function isPassing(error: unknown): boolean {
  if (error instanceof HostGoneError || !(error instanceof TroupeError)) return true;
  return error.code === "overloaded" || error.code === "wrong-state";
}

function toldBy(name: string, data: string): Told {
  const content: unknown = JSON.parse(data);
  if (name === "unanswered") {
    const told = typeof content === "object" && content !== null ? content : {};
    return {
      at: "unanswered",
      hostId: textIn(told, "hostId"),
      name: textIn(told, "name"),
      problem: textIn(told, "problem"),
    };
  }
  if (name !== "lost") {
    // A host of this version tells so; what it tells is not checked again.
    return { at: "event", event: content as FeedEvent };
  }
  const count = typeof content === "object" && content !== null && "count" in content ? content.count : null;
  return { at: "lost", count: typeof count === "number" ? count : null };
}

function textIn(value: object, name: string): string {
  return String(Object.entries(value).find(([one]) => one === name)?.[1] ?? "");
}
