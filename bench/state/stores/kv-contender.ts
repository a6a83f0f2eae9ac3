import { jetstream } from "@nats-io/jetstream";
import { type KV, Kvm } from "@nats-io/kv";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { NatsFiles, natsAbsence } from "../../peers/nats-server.ts";
import type { Contender, Round } from "../../support/contender.ts";
import { ProcessGroup } from "../../support/process-group.ts";
import { measureSavers, type Saver, type StoreLoad } from "./savers.ts";

/** Saves as a program does by hand with NATS: a put to a key-value bucket under the revision that the saver knows. */
export class KvContender implements Contender<StoreLoad> {
  readonly name = "NATS JetStream KV: update()";
  readonly absent = natsAbsence();
  readonly #group = new ProcessGroup(this.name);
  #files: NatsFiles | undefined;
  #connection: NatsConnection | undefined;
  #bucket: KV | undefined;

  async start(): Promise<void> {
    this.#files = await NatsFiles.start(this.#group);
    this.#connection = await connect({ servers: this.#files.address });
    this.#bucket = await openBucket(this.#connection);
  }

  measure({ savers }: StoreLoad, seconds: number): Promise<Round> {
    const bucket = this.#bucket;
    if (bucket === undefined) throw new Error("It is not started.");
    return measureSavers(savers, seconds, (key) => saverByHand(bucket, key));
  }

  async stop(): Promise<void> {
    await this.#connection?.close();
    await this.#group.stop();
    this.#files?.remove();
  }
}

/** Opens the bucket with the states: one version of each key, in files. */
export async function openBucket(connection: NatsConnection): Promise<KV> {
  return new Kvm(jetstream(connection, { timeout: 60_000 })).create("state", { history: 1 });
}

async function saverByHand(bucket: KV, key: string): Promise<Saver> {
  let revision = (await bucket.get(key))?.revision ?? 0;
  return async () => {
    revision = await putUnder(bucket, key, new Uint8Array(512), revision);
  };
}

/** Puts a value under the revision that its key has; 0: it has none. Resolves to the new revision. */
export function putUnder(bucket: KV, key: string, value: Uint8Array | string, revision: number): Promise<number> {
  return revision === 0 ? bucket.create(key, value) : bucket.update(key, value, revision);
}
