import { type Clock, errorText, type Timer } from "../../../core/internal.ts";
import type { Dialer } from "../../../transport/internal.ts";
import type { ClusterHost } from "../cluster-view.ts";
import { OutgoingLink, type OutgoingLinkParts } from "./outgoing-link.ts";

export interface HostDiallingParts extends Omit<OutgoingLinkParts, "hostId" | "link" | "onEnded"> {
  readonly dialer: Dialer;
  readonly random: () => number;
  /** A link was lost that was open, or none could be opened. */
  readonly onLost: (link: OutgoingLink | undefined, reason: string, wasOpen: boolean) => void;
}

/** Milliseconds of the first wait between two attempts, and of the longest. A link that has lasted as long was a good one. */
const firstWaitMs = 100;
const longestWaitMs = 2_000;

/** Keeps one link to another host for as long as that is up. It dials again at once when a good link is lost, and then with growing waits. */
export class HostDialling {
  readonly hostId: string;
  readonly #parts: HostDiallingParts;
  readonly #address: string;
  readonly #clock: Clock;
  #link: OutgoingLink | undefined;
  #timer: Timer | undefined;
  #waitMs = firstWaitMs;
  #isOver = false;

  constructor({ hostId, address }: ClusterHost, parts: HostDiallingParts) {
    this.hostId = hostId;
    this.#address = address;
    this.#clock = parts.clock;
    this.#parts = parts;
    this.#dial();
  }

  /** The link, if the other host has said on it who it is. */
  get openLink(): OutgoingLink | undefined {
    return this.#link?.isOpen ? this.#link : undefined;
  }

  /** The host is down: ends the link at once. */
  stop(): void {
    this.#isOver = true;
    this.#timer?.cancel();
    this.#link?.cut("it is down");
  }

  /** Ends the link after what waits. */
  close(): void {
    this.#isOver = true;
    this.#timer?.cancel();
    this.#link?.close();
  }

  #dial(): void {
    const { dialer, onLost, onOpened } = this.#parts;
    let openedMs: number | undefined;
    try {
      this.#link = new OutgoingLink({
        ...this.#parts,
        hostId: this.hostId,
        link: dialer.dial(this.#address),
        onOpened: (link) => {
          openedMs = this.#clock.now();
          onOpened(link);
        },
        onEnded: (link, reason) => {
          onLost(link, reason, openedMs !== undefined);
          this.#dialAgain(openedMs !== undefined && this.#clock.now() - openedMs >= longestWaitMs);
        },
      });
    } catch (error) {
      // An address that can't be dialled: the host may get another one with its next start.
      onLost(undefined, errorText(error), false);
      this.#dialAgain(false);
    }
  }

  #dialAgain(wasGood: boolean): void {
    if (this.#isOver) return;
    const { random } = this.#parts;
    const waitMs = wasGood ? 0 : this.#waitMs * (0.5 + random() / 2);
    this.#waitMs = wasGood ? firstWaitMs : Math.min(2 * this.#waitMs, longestWaitMs);
    this.#timer = this.#clock.setTimer(waitMs, () => this.#dial());
  }
}
