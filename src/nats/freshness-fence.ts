import type { Bucket } from "./buckets.ts";
import type { NatsClient } from "./nats-client.ts";
import { readAcknowledgement } from "./write-answer.ts";

/** Writes to a key of its own, so that a read can tell whether a server is up to date. Reads that begin together share a write. */
export class FreshnessFence {
  readonly subject: string;
  readonly #client: NatsClient;
  #underWay: Promise<number | undefined> | undefined;
  #next: Promise<number | undefined> | undefined;

  constructor(client: NatsClient, bucket: Bucket) {
    this.#client = client;
    this.subject = `${bucket.subjectPrefix}fence`;
  }

  /** Resolves to the revision of a write that began after this call. Undefined: there was no answer. */
  write(): Promise<number | undefined> {
    if (this.#next !== undefined) return this.#next;
    if (this.#underWay === undefined) return this.#begin();
    this.#next = this.#underWay.then(() => {
      this.#next = undefined;
      return this.#begin();
    });
    return this.#next;
  }

  #begin(): Promise<number | undefined> {
    const writing = this.#write().finally(() => {
      if (this.#underWay === writing) this.#underWay = undefined;
    });
    this.#underWay = writing;
    return writing;
  }

  async #write(): Promise<number | undefined> {
    const answer = await this.#client.request(this.subject, new Uint8Array(0));
    const outcome = readAcknowledgement(answer);
    return outcome.at === "written" ? outcome.revision : undefined;
  }
}
