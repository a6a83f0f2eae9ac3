import { type MessageOf, RoutedAgent, rpc } from "troupe";
import { Arrived } from "./messages.ts";

/** The ids of what has arrived. */
export class Arrivals {
  readonly #ids = new Set<string>();
  readonly #waiting = new Map<string, () => void>();

  note(id: string): void {
    this.#ids.add(id);
    this.#waiting.get(id)?.();
  }

  /** Resolves when this has arrived. */
  async wait(id: string): Promise<void> {
    if (!this.#ids.has(id)) await new Promise<void>((resolve) => this.#waiting.set(id, resolve));
  }
}

/** The agent to which stores tell what they have taken. It has no state, so it may hear of a parcel twice. */
export class Desk extends RoutedAgent {
  readonly #arrivals: Arrivals;

  constructor(arrivals: Arrivals) {
    super("notes what arrives");
    this.#arrivals = arrivals;
  }

  @rpc(Arrived)
  note({ id }: MessageOf<typeof Arrived>) {
    this.#arrivals.note(id);
  }
}
