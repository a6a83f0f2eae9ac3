import type { CountedQueue, Timer } from "../../../core/internal.ts";
import type { ClusterHost } from "../cluster-view.ts";
import type { LinkCounters, LinkOccurrence, LinkReport } from "../host-ways.ts";
import type { RingHost } from "../other-hosts.ts";
import type { AcceptedLinks } from "./accepted-links.ts";
import { HostDialling, type HostDiallingParts } from "./host-dialling.ts";
import type { AskingHost, OutgoingLink } from "./outgoing-link.ts";

export interface DialledHostsParts extends Omit<HostDiallingParts, "host" | "onOpened" | "onWrongName" | "onLost"> {
  readonly accepted: AcceptedLinks;
  readonly counters: LinkCounters;
  readonly report: (what: LinkOccurrence) => void;
  /** Other hosts are up, or this host has other links to them. It comes after the change. */
  readonly onChanged: () => void;
}

/** The links that this host dials: one to each other host that is up. */
export class DialledHosts {
  readonly #parts: DialledHostsParts;
  readonly #diallings = new Map<string, HostDialling>();
  readonly #onLinked = new Set<() => void>();
  #tellsChange = false;
  #isOver = false;

  constructor(parts: DialledHostsParts) {
    this.#parts = parts;
    this.#tellChange();
  }

  /** The ids of the hosts to which this one has an open link. */
  get hostIds(): readonly string[] {
    return this.openLinks.map(({ hostId }) => hostId);
  }

  /** The hosts that take part in the search for rings. */
  get ringHosts(): readonly RingHost[] {
    return [...this.#diallings.values()].flatMap(({ hostId, openLink: link }) =>
      link === undefined || link.searchesRings ? [{ hostId, link }] : [],
    );
  }

  get openLinks(): readonly OutgoingLink[] {
    return [...this.#diallings.values()].flatMap(({ openLink }) => openLink ?? []);
  }

  /** The open link to a host. */
  to(hostId: string): OutgoingLink | undefined {
    return this.#diallings.get(hostId)?.openLink;
  }

  /** Frames that wait for other hosts. */
  get queues(): readonly CountedQueue[] {
    return this.openLinks.map(({ queue }) => ({ key: queue, entered: queue.sentFrames, waiting: queue.queuedFrames }));
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
        ...{ ...this.#parts, host: asking },
        onLost: (link, reason, wasOpen) => {
          onLost(link, reason, wasOpen);
          this.#tellChange();
        },
        onOpened: (link) => this.#opened(link),
        onWrongName: (reason) => this.#passBy(host.hostId, reason),
      }),
    );
    this.#tellChange();
  }

  /** Ends the link to a host at once, and keeps none. */
  hangUp(hostId: string): void {
    const dialling = this.#diallings.get(hostId);
    this.#diallings.delete(hostId);
    dialling?.stop();
    this.#tellChange();
  }

  /** Ends all links after what waits. */
  close(): void {
    this.#isOver = true;
    for (const dialling of this.#diallings.values()) dialling.close();
  }

  /** Ends all links at once. */
  end(): void {
    this.#isOver = true;
    for (const dialling of this.#diallings.values()) dialling.stop();
    this.#diallings.clear();
  }

  #opened(link: OutgoingLink): void {
    this.#parts.counters.openedLinks += 1;
    this.#parts.report({ what: "opened", hostId: link.hostId, detail: "" });
    this.#tellChange();
    // The link counts as open when this callback has returned.
    queueMicrotask(() => {
      for (const look of [...this.#onLinked]) look();
    });
  }

  /** Several changes of one moment are told once. */
  #tellChange(): void {
    if (this.#tellsChange) return;
    this.#tellsChange = true;
    queueMicrotask(() => {
      this.#tellsChange = false;
      if (!this.#isOver) this.#parts.onChanged();
    });
  }

  #passBy(hostId: string, detail: string): void {
    this.#parts.counters.refusedNames += 1;
    this.#parts.report({ what: "passed-by", hostId, detail });
  }
}
