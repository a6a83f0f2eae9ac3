import { handlerTable, RoutedAgent, TroupeError } from "troupe";
import { Gate } from "../gate.ts";
import { Ask, Note, Told } from "./messages.ts";

/** Answers each call with what it was asked. */
export class Echo extends RoutedAgent {
  static override readonly handlers = handlerTable<Echo>().rpc(Ask, ({ caller, number, text }) =>
    Told({ caller, number, text }),
  );

  constructor() {
    super("answers each call with what it was asked");
  }
}

/** Books of agents that hold their calls: how many they have, and why they let go. */
export class Holding {
  held = 0;
  /** By the code of the error that their signal carried. */
  readonly released: Record<string, number> = {};
  readonly #waiting: { readonly count: number; readonly gate: Gate }[] = [];

  /** Resolves when so many calls have been taken in all. */
  async reaches(count: number): Promise<void> {
    if (this.held >= count) return;
    const gate = new Gate();
    this.#waiting.push({ count, gate });
    await gate.opened;
  }

  take(): void {
    this.held++;
    for (const { count, gate } of this.#waiting) if (this.held >= count) gate.open();
  }

  release(reason: unknown): void {
    const code = reason instanceof TroupeError ? reason.code : String(reason);
    this.released[code] = (this.released[code] ?? 0) + 1;
  }
}

/** Never answers; lets a call go when its signal says so. */
export class Holder extends RoutedAgent {
  readonly books: Holding;
  static override readonly handlers = handlerTable<Holder>().rpc(Ask, function (_ask, { signal }) {
    return this.hold(signal);
  });

  constructor(books: Holding) {
    super("never answers");
    this.books = books;
  }

  hold(signal: AbortSignal): Promise<Told> {
    this.books.take();
    return new Promise((_resolve, reject) => {
      signal.addEventListener("abort", () => {
        this.books.release(signal.reason);
        reject(signal.reason);
      });
    });
  }
}

/** Books of what arrived, by topic and publisher: in order, each once. */
export class Arrivals {
  count = 0;
  /** Events that came twice or after a later one. */
  readonly wrong: string[] = [];
  readonly #last = new Map<string, number>();

  note(reader: string, topic: string, { publisher, number }: Note): void {
    this.count++;
    const stream = `${reader} ${topic} ${publisher}`;
    const last = this.#last.get(stream) ?? 0;
    if (number <= last) this.wrong.push(`${stream}: ${number} came after ${last}`);
    this.#last.set(stream, number);
  }
}

/** Notes each event. */
export class Reader extends RoutedAgent {
  readonly books: Arrivals;
  static override readonly handlers = handlerTable<Reader>().event(Note, function (note, { topicId }) {
    this.books.note(String(this.id), String(topicId), note);
  });

  constructor(books: Arrivals) {
    super("notes each event");
    this.books = books;
  }
}
