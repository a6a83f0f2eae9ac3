import { StockWorker } from "./stock-worker.ts";

/** Workers that connect, call, and leave. */
export class Newcomers {
  readonly #address: string;
  readonly #certificate: string | undefined;
  #count = 0;

  constructor(address: string, certificate: string | undefined) {
    this.#address = address;
    this.#certificate = certificate;
  }

  /** Resolves when a worker has connected and its call has been answered. Rejects when it finds no way in. */
  async come(): Promise<void> {
    this.#count += 1;
    const clientId = `newcomer-${this.#count}`;
    const worker = new StockWorker({ address: this.#address, clientId, certificate: this.#certificate });
    try {
      const error = await worker.call("1", "honest");
      if (error !== "") throw new Error(error);
    } finally {
      await worker.close();
    }
  }
}
