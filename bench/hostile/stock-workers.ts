import type { Frame } from "troupe/protocol";
import { StockWorker, stockPayload } from "./stock-worker.ts";

/** A caller and a publisher, and the worker that answers them. */
export class StockWorkers {
  readonly #caller: StockWorker;
  readonly #publisher: StockWorker;
  readonly #target: StockWorker;
  #count = 0;

  private constructor(workers: { caller: StockWorker; publisher: StockWorker; target: StockWorker }) {
    this.#caller = workers.caller;
    this.#publisher = workers.publisher;
    this.#target = workers.target;
  }

  static async start(address: string, certificate: string | undefined): Promise<StockWorkers> {
    const make = (clientId: string, onFrame?: (frame: Frame, worker: StockWorker) => boolean) =>
      new StockWorker({ address, clientId, certificate, ...(onFrame === undefined ? {} : { onFrame }) });
    const workers = {
      caller: make("honest-caller"),
      publisher: make("honest-publisher"),
      target: make("honest-target", answerCalls),
    };
    await workers.target.register("honest");
    await workers.target.subscribe("honest.news", "honest");
    return new StockWorkers(workers);
  }

  get lost(): readonly string[] {
    return [this.#caller, this.#publisher, this.#target].flatMap(({ lost }) => lost ?? []);
  }

  /** Throws unless the call succeeds. */
  async call(): Promise<void> {
    this.#count += 1;
    const error = await this.#caller.call(`${this.#count}`, "honest");
    if (error !== "") throw new Error(error);
  }

  /** Resolves when the event has arrived. */
  async publish(): Promise<void> {
    this.#count += 1;
    const id = `${this.#count}`;
    const arrival = this.#target.next();
    this.#publisher.send({
      kind: "event",
      event: {
        id,
        topicType: "honest.news",
        topicSource: "s",
        sender: undefined,
        payload: stockPayload,
        attributes: {},
      },
    });
    const frame = await arrival;
    if (frame.kind !== "event" || frame.event.id !== id) throw new Error(`expected the event ${id}`);
  }
}

function answerCalls(frame: Frame, worker: StockWorker): boolean {
  if (frame.kind !== "request") return false;
  worker.send({ kind: "response", requestId: frame.requestId, payload: stockPayload, error: "", metadata: {} });
  return true;
}
