import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MemoryStateStore, type StateStore } from "troupe/storage";
import { openSqliteStore } from "troupe/storage/sqlite";
import type { Contender, Round } from "../../support/contender.ts";
import { measureSavers, type StoreLoad, saverOf } from "./savers.ts";

type StoreKind =
  | { readonly kind: "memory" }
  | { readonly kind: "sqlite"; readonly synchronous: "full" | "normal"; readonly thread?: boolean };

/** A store in this process, on a file in the folder for temporary files. */
export class StoreContender implements Contender<StoreLoad> {
  readonly name: string;
  readonly #kind: StoreKind;
  #folder = "";
  #store: StateStore | undefined;

  constructor(name: string, kind: StoreKind) {
    this.name = name;
    this.#kind = kind;
  }

  async start(): Promise<void> {
    this.#folder = await mkdtemp(join(tmpdir(), "troupe-bench-state-"));
    const { kind, ...options } = this.#kind;
    const file = join(this.#folder, "store.db");
    this.#store = kind === "memory" ? new MemoryStateStore() : await openSqliteStore(file, options);
    await this.#store.open();
  }

  measure({ savers }: StoreLoad, seconds: number): Promise<Round> {
    const store = this.#store;
    if (store === undefined) throw new Error("It is not started.");
    return measureSavers(savers, seconds, (key) => saverOf(store, key));
  }

  async stop(): Promise<void> {
    await this.#store?.close();
    await rm(this.#folder, { recursive: true, force: true });
  }
}
