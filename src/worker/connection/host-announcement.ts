import type { Clock } from "../../core/internal.ts";
import type { Capability, Frame } from "../../protocol/internal.ts";
import { atMost } from "./time-limits.ts";

/** Milliseconds that a host has to announce itself. After them it counts as a stock host, which sends no headers at first. */
const headersWaitMs = 1_000;
/** The same for a worker whose host before was one of Troupe's, which sends its headers at once. A slow network does not make it another host. */
const expectedHeadersWaitMs = 30_000;

/** Largest number of cancel notices that wait for the host to announce itself. */
const mostWaitingNotices = 1_000;

const none: ReadonlySet<Capability> = new Set();

// protocol.md §11.1
type HostKind =
  /** The response headers have not come yet; notices wait. */
  | { readonly at: "unknown"; readonly waiting: Frame[] }
  | { readonly at: "announced"; readonly capabilities: ReadonlySet<Capability> }
  | { readonly at: "stock" };

/** The knowledge of one connection about its host, from the response headers. Only a host that announced itself gets notices (cancel). */
export class HostAnnouncement {
  readonly #send: (notice: Frame) => void;
  readonly #isExpected: boolean;
  readonly #onKnown: () => void;
  #host: HostKind = { at: "unknown", waiting: [] };
  /** Called when the headers have come, or are not expected any more. */
  #onHeaders: () => void = () => {};
  #headersCame: Promise<unknown> | undefined;

  /**
   * `send`: sends a notice to a host that takes it. `isExpected`: the worker's host before has announced itself. `onKnown`: called when it is
   * known what the host is.
   */
  constructor(send: (notice: Frame) => void, isExpected: boolean, onKnown: () => void = () => undefined) {
    this.#send = send;
    this.#isExpected = isExpected;
    this.#onKnown = onKnown;
  }

  /** Whether the host has announced itself. It then takes long messages and Troupe's notices. */
  get isAnnounced(): boolean {
    return this.#host.at === "announced";
  }

  /** Whether the host may still announce itself. */
  get isAwaited(): boolean {
    return this.#host.at === "unknown";
  }

  // protocol.md §11.13
  /** Whether the host takes paths of calls, and reports of calls that wait for their turn. */
  get knowsTurns(): boolean {
    return this.#knows("turns");
  }

  // protocol.md §11.16
  /** Whether the host keeps told messages. */
  get knowsMail(): boolean {
    return this.#knows("mail");
  }

  // protocol.md §11.21
  /** Whether the host passes chunks on, and grants. */
  get knowsStreams(): boolean {
    return this.#knows("streams");
  }

  // protocol.md §11.24
  /** Whether the host keeps runs. */
  get knowsRuns(): boolean {
    return this.#knows("runs");
  }

  // protocol.md §11.17
  /** Whether the host takes agents of shared types back, and gives them to other workers. */
  get knowsClaims(): boolean {
    return this.#knows("claims");
  }

  // protocol.md §11.19
  /** Whether the host lends leases, as those of clusters do. */
  get knowsLease(): boolean {
    return this.#knows("lease");
  }

  /** Sends a notice to an announced host. The notice may wait for the headers. */
  notify(notice: Frame): void {
    if (this.#host.at === "announced") this.#send(notice);
    else if (this.#host.at === "unknown" && this.#host.waiting.length < mostWaitingNotices)
      this.#host.waiting.push(notice);
  }

  /** Notes the host's headers, or that the host seems to send none. */
  take(isAnnounced: boolean, capabilities: ReadonlySet<Capability> = none): void {
    const host = this.#host;
    if (host.at === "announced" || (host.at === "stock" && !isAnnounced)) return;
    this.#host = isAnnounced ? { at: "announced", capabilities } : { at: "stock" };
    if (isAnnounced && host.at === "unknown") for (const notice of host.waiting) this.#send(notice);
    this.#onKnown();
    this.#onHeaders();
    this.#onHeaders = () => {};
  }

  /** Resolves when it is known whether the host announces itself. The wait is short if it may be a stock host, which sends nothing. */
  came(clock: Clock): Promise<unknown> {
    this.#headersCame ??= new Promise<void>((resolve) => {
      const came = new Promise<void>((settle) => {
        if (this.isAwaited) this.#onHeaders = settle;
        else settle();
      });
      void atMost(came, this.#isExpected ? expectedHeadersWaitMs : headersWaitMs, clock).then(() => {
        this.take(false);
        resolve();
      });
    });
    return this.#headersCame;
  }
  #knows(capability: Capability): boolean {
    return this.#host.at === "announced" && this.#host.capabilities.has(capability);
  }
}
