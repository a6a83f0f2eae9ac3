/** A server-sent event. */
export interface StreamedEvent {
  /** The id of the last event that had one. */
  readonly id: string;
  readonly event: string;
  readonly data: string;
}

/** Reads server-sent events out of pieces of a text. The host writes `\n` alone. */
export class EventStreamReader {
  #rest = "";
  #id = "";

  /** The id of the last event: where to go on. */
  get lastId(): string {
    return this.#id;
  }

  /** Returns the events that are complete with this piece. */
  take(piece: string): readonly StreamedEvent[] {
    const blocks = (this.#rest + piece).split("\n\n");
    this.#rest = blocks.pop() ?? "";
    return blocks.flatMap((block) => this.#eventIn(block));
  }

  #eventIn(block: string): readonly StreamedEvent[] {
    let [event, data] = ["message", undefined as string | undefined];
    for (const line of block.split("\n")) {
      if (line.startsWith("id: ")) this.#id = line.slice(4);
      else if (line.startsWith("event: ")) event = line.slice(7);
      else if (line.startsWith("data: ")) data = line.slice(6);
    }
    return data === undefined ? [] : [{ id: this.#id, event, data }];
  }
}
