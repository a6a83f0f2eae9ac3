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

/** A number that grows, and can be waited for. */
class Count {
  #value = 0;
  readonly #waiting: { readonly goal: number; readonly gate: Gate }[] = [];

  get value(): number {
    return this.#value;
  }

  add(): void {
    this.#value++;
    for (const { goal, gate } of this.#waiting) if (this.#value >= goal) gate.open();
  }

  async reaches(goal: number): Promise<void> {
    if (this.#value >= goal) return;
    const gate = new Gate();
    this.#waiting.push({ goal, gate });
    await gate.opened;
  }
}

/** Books of agents that hold their calls: how many they have, and why they let go. */
export class Holding {
  readonly taken = new Count();
  readonly released = new Count();
  /** Of those let go, by the code of the error that their signal carried. */
  readonly reasons: Record<string, number> = {};

  release(reason: unknown): void {
    const code = reason instanceof TroupeError ? reason.code : String(reason);
    this.reasons[code] = (this.reasons[code] ?? 0) + 1;
    this.released.add();
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
    this.books.taken.add();
    return new Promise((_resolve, reject) => {
      signal.addEventListener("abort", () => {
        this.books.release(signal.reason);
        reject(signal.reason);
      });
    });
  }
}

/** Where a reader notes what has arrived. */
export interface DeliveryAcknowledgements {
  /** `reader` is the agent's id, `topic` the event's. */
  note(reader: string, topic: string, note: Note): void;
}

/** Counts what arrived, and finds what came twice or after a later one. */
export class OrderedArrivals implements DeliveryAcknowledgements {
  readonly count = new Count();
  readonly wrong: string[] = [];
  readonly #last = new Map<string, number>();

  note(reader: string, topic: string, { publisher, number }: Note): void {
    const stream = `${reader} ${topic} ${publisher}`;
    const last = this.#last.get(stream) ?? 0;
    if (number <= last) this.wrong.push(`${stream}: ${number} came after ${last}`);
    this.#last.set(stream, number);
    this.count.add();
  }
}

/** Notes each event. */
export class Reader extends RoutedAgent {
  readonly books: DeliveryAcknowledgements;
  static override readonly handlers = handlerTable<Reader>().event(Note, function (note, { topicId }) {
    this.books.note(String(this.id), String(topicId), note);
  });

  constructor(books: DeliveryAcknowledgements) {
    super("notes each event");
    this.books = books;
  }
}
