import { StringDecoder } from "node:string_decoder";
import { TroupeError } from "../../core/internal.ts";

/** A server-sent event. */
export interface StreamedEvent {
  /** Undefined: it has none. */
  readonly id: string | undefined;
  readonly name: string;
  readonly data: string;
}

/** Characters of an event that is read. */
const longestEvent = 1_024 * 1_024;

// https://html.spec.whatwg.org/multipage/server-sent-events.html
/** Reads server-sent events from bytes that come in any pieces. */
export class EventStreamReader {
  readonly #text = new StringDecoder("utf8");
  #rest = "";
  #name = "message";
  #data: string[] = [];
  #chars = 0;
  #id: string | undefined;

  /** The id of the last event, or of the last sign of life. */
  get lastEventId(): string | undefined {
    return this.#id;
  }

  /** Returns the events that are complete. Throws `message-too-large` for one that is too long. */
  read(bytes: Uint8Array): readonly StreamedEvent[] {
    const lines = `${this.#rest}${this.#text.write(bytes as Buffer)}`.split(/\r\n|\n|\r(?=.)/);
    this.#rest = lines.pop() ?? "";
    const events = lines.flatMap((line) => this.#line(line) ?? []);
    if (this.#chars + this.#rest.length > longestEvent)
      throw new TroupeError("message-too-large", "An event of the host is too long.");
    return events;
  }

  #line(line: string): StreamedEvent | undefined {
    if (line === "") return this.#complete();
    const colon = line.indexOf(":");
    const [field, value] = colon < 0 ? [line, ""] : [line.slice(0, colon), line.slice(colon + 1).replace(/^ /, "")];
    if (field === "event") this.#name = value;
    else if (field === "id" && !value.includes("\0")) this.#id = value;
    else if (field === "data") {
      this.#data.push(value);
      this.#chars += value.length;
    }
    return undefined;
  }

  #complete(): StreamedEvent | undefined {
    const event = { id: this.#id, name: this.#name, data: this.#data.join("\n") };
    const isEmpty = this.#data.length === 0;
    [this.#name, this.#data, this.#chars] = ["message", [], 0];
    return isEmpty ? undefined : event;
  }
}
