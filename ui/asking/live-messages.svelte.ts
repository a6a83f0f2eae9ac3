import type { FeedEvent } from "../../src/admin/internal.ts";
import { Problem, textOf } from "./api.ts";
import { EventStreamReader, type StreamedEvent } from "./event-stream.ts";
import type { UnansweredHost } from "./hosts.ts";
import { api } from "./login.svelte.ts";

/** The events that are wanted. Undefined or empty: any. */
export interface Filter {
  readonly kind?: string | undefined;
  readonly type?: string | undefined;
  readonly key?: string | undefined;
  readonly topic?: string | undefined;
  readonly outcome?: string | undefined;
  /** The id of the only host of the cluster. */
  readonly host?: string | undefined;
  /** `1`: show what messages say, where the operator may read it. */
  readonly payloads?: string | undefined;
}

export interface Message extends FeedEvent {
  /** Grows with each message of this page. */
  readonly number: number;
}

/** Rows that are shown, and milliseconds between two times of showing. */
export const mostRows = 200;
const showEveryMs = 250;
const retryMs = 2_000;

/** Follows the feed of the host while a view is shown. Call it while a component is made. */
export class LiveMessages {
  /** The newest first. */
  rows: readonly Message[] = $state.raw([]);
  /** Messages since the view was opened, and occurrences of the host that the feed has lost. */
  total: number = $state(0);
  lost: number = $state(0);
  /** True: the feed has lost some, and can't say how many. */
  hasGap: boolean = $state(false);
  isConnected: boolean = $state(false);
  isPaused: boolean = $state(false);
  problem: string = $state("");
  /** Hosts of the cluster that did not answer when they were asked. */
  unanswered: readonly UnansweredHost[] = $state.raw([]);
  /** Messages that have come during the pause. */
  waiting: number = $state(0);

  /** The messages since the last time of showing, the oldest first. Of more than are shown, the oldest are forgotten. */
  #fresh: Message[] = [];
  #number = 0;

  constructor(filter: () => Filter) {
    $effect(() => {
      const wanted = filter();
      const ending = new AbortController();
      this.#clear();
      const timer = setInterval(() => this.#show(), showEveryMs);
      void this.#follow(wanted, ending.signal);
      return () => {
        clearInterval(timer);
        ending.abort();
      };
    });
  }

  pause(isPaused: boolean): void {
    this.isPaused = isPaused;
  }

  #clear(): void {
    this.#fresh = [];
    this.rows = [];
    [this.total, this.lost, this.waiting] = [0, 0, 0];
    this.unanswered = [];
    [this.hasGap, this.isConnected, this.problem] = [false, false, ""];
  }

  async #follow(filter: Filter, signal: AbortSignal): Promise<void> {
    const reader = new EventStreamReader();
    while (!signal.aborted) {
      try {
        await this.#read(reader, filter, signal);
      } catch (error) {
        if (signal.aborted) return;
        this.problem = textOf(error);
        // What the host refuses, it refuses the next time, too.
        if (error instanceof Problem && (error.status === 403 || error.status === 400)) return;
      }
      this.isConnected = false;
      await new Promise((resolve) => setTimeout(resolve, retryMs));
    }
  }

  async #read(reader: EventStreamReader, filter: Filter, signal: AbortSignal): Promise<void> {
    const parameters = Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== ""));
    const headers = reader.lastId === "" ? {} : { "last-event-id": reader.lastId };
    const response = await api().open("GET", "/v1/feed", { parameters, headers, signal });
    this.isConnected = true;
    this.problem = "";
    const pieces = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    for (let piece = await pieces?.read(); piece?.value !== undefined; piece = await pieces?.read())
      for (const event of reader.take(piece.value)) this.#take(event);
  }

  #take({ event, data }: StreamedEvent): void {
    if (event === "lost") {
      const { count }: { count: number | null } = JSON.parse(data);
      if (count === null) this.hasGap = true;
      else this.lost += count;
      return;
    }
    if (event === "unanswered") {
      const host: UnansweredHost = JSON.parse(data);
      this.unanswered = [...this.unanswered.filter(({ hostId }) => hostId !== host.hostId), host];
      return;
    }
    const about: FeedEvent = JSON.parse(data);
    // It answers again.
    const { host } = about;
    if (host !== null && this.unanswered.some(({ hostId }) => hostId === host.hostId))
      this.unanswered = this.unanswered.filter(({ hostId }) => hostId !== host.hostId);
    this.#number += 1;
    this.#fresh.push({ ...about, number: this.#number });
    if (this.#fresh.length > 2 * mostRows) this.#fresh.splice(0, mostRows);
  }

  #show(): void {
    if (this.isPaused) {
      this.waiting = this.#number - this.total;
      return;
    }
    if (this.#number === this.total) return;
    this.total = this.#number;
    this.waiting = 0;
    this.rows = [...this.#fresh.toReversed(), ...this.rows].slice(0, mostRows);
    this.#fresh = [];
  }
}
