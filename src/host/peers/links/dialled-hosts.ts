import type { Timer } from "../../../core/internal.ts";
import type { ClusterHost } from "../cluster-view.ts";
import type { LinkCounters, LinkOccurrence, LinkReport } from "../host-ways.ts";
import type { AcceptedLinks } from "./accepted-links.ts";
import { HostDialling, type HostDiallingParts } from "./host-dialling.ts";
import type { AskingHost, OutgoingLink } from "./outgoing-link.ts";

export interface DialledHostsParts extends Omit<HostDiallingParts, "host" | "onOpened" | "onWrongName" | "onLost"> {
  readonly accepted: AcceptedLinks;
  readonly counters: LinkCounters;
  readonly report: (what: LinkOccurrence) => void;
}

/** The links that this host dials: one to each other host that is up. */
export class DialledHosts {
  readonly #parts: DialledHostsParts;
  readonly #diallings = new Map<string, HostDialling>();
  readonly #onLinked = new Set<() => void>();

  constructor(parts: DialledHostsParts) {
    this.#parts = parts;
  }

  /** The ids of the hosts to which this one has an open link. */
  get hostIds(): readonly string[] {
    return this.openLinks.map(({ hostId }) => hostId);
  }

  get openLinks(): readonly OutgoingLink[] {
    return [...this.#diallings.values()].flatMap(({ openLink }) => openLink ?? []);
  }

  /** The open link to a host. */
  to(hostId: string): OutgoingLink | undefined {
    return this.#diallings.get(hostId)?.openLink;
  }

  /** The links to and from each other host that is up or has a link. */
  get reports(): readonly LinkReport[] {
    const accepted = new Set(this.#parts.accepted.hostIds);
    const known = new Set([...this.#diallings.keys(), ...accepted]);
    return [...known].map((hostId) => {
      const link = this.to(hostId);
      const { queuedFrames = 0, queuedBytes = 0, droppedEvents = 0 } = link?.queue ?? {};
      const roundTripMs = link?.roundTripMs ?? null;
      const isAccepted = accepted.has(hostId);
      return { hostId, isOpen: link !== undefined, isAccepted, queuedFrames, queuedBytes, droppedEvents, roundTripMs };
    });
  }

  /** Asks all hosts for a sign of life, for the round trips. */
  measure(): void {
    for (const link of this.openLinks) link.measure();
  }

  /** Resolves when this host has an open link to each of these hosts, or when the time is up that `startTimer` begins. */
  async linkedTo(hostIds: readonly string[], startTimer: (onLate: () => void) => Timer): Promise<void> {
    const isThere = (): boolean => hostIds.every((hostId) => this.to(hostId) !== undefined);
    if (isThere()) return;
    await new Promise<void>((resolve) => {
      const settle = (): void => {
        timer.cancel();
        this.#onLinked.delete(look);
        resolve();
      };
      const look = (): void => {
        if (isThere()) settle();
      };
      const timer = startTimer(settle);
      this.#onLinked.add(look);
    });
  }

  /** Keeps a link to a host from now on. `onLost`: a link was lost that was open, or none could be opened. */
  dial(host: ClusterHost, asking: AskingHost, onLost: HostDiallingParts["onLost"]): void {
    this.hangUp(host.hostId);
    this.#diallings.set(
      host.hostId,
      new HostDialling(host, {
        ...{ ...this.#parts, host: asking, onLost },
        onOpened: (link) => this.#opened(link),
        onWrongName: (reason) => this.#passBy(host.hostId, reason),
      }),
    );
  }

  /** Ends the link to a host at once, and keeps none. */
  hangUp(hostId: string): void {
    const dialling = this.#diallings.get(hostId);
    this.#diallings.delete(hostId);
    dialling?.stop();
  }

  /** Ends all links after what waits. */
  close(): void {
    for (const dialling of this.#diallings.values()) dialling.close();
  }

  /** Ends all links at once. */
  end(): void {
    for (const dialling of this.#diallings.values()) dialling.stop();
    this.#diallings.clear();
  }

  #opened(link: OutgoingLink): void {
    this.#parts.counters.openedLinks += 1;
    this.#parts.report({ what: "opened", hostId: link.hostId, detail: "" });
    // The link counts as open when this callback has returned.
    queueMicrotask(() => {
      for (const look of [...this.#onLinked]) look();
    });
  }

  #passBy(hostId: string, detail: string): void {
    this.#parts.counters.refusedNames += 1;
    this.#parts.report({ what: "passed-by", hostId, detail });
  }
}
