import type { CountedMail } from "./shard-sums.ts";

/** Messages of a shard that are known one by one. */
const mostOfShard = 512;

interface OfShard {
  /** In the order of their places, nearly. */
  appends: CountedMail[];
  readonly mailboxes: Map<string, number>;
  readonly types: Map<string, number>;
}

/** What this process has appended, for as long as the owners of the shards have not counted it. Of each shard it knows the last 512. */
export class RecentAppends {
  readonly #shards = new Map<number, OfShard>();

  add(shard: number, { place, mailbox, type, bytes }: CountedMail): void {
    const mail = { place, mailbox, type, bytes };
    const known: OfShard = this.#shards.get(shard) ?? { appends: [], mailboxes: new Map(), types: new Map() };
    this.#shards.set(shard, known);
    known.appends.push(mail);
    change(known, mail, mail.bytes);
    if (known.appends.length <= mostOfShard) return;
    const oldest = known.appends.shift();
    if (oldest !== undefined) change(known, oldest, -oldest.bytes);
  }

  /** The owner of a shard has counted all up to a place. */
  counted(shard: number, upTo: number): void {
    this.#forget(shard, ({ place }) => place <= upTo);
  }

  /** A message has left its mailbox. */
  removed(shard: number, place: number): void {
    this.#forget(shard, (mail) => mail.place === place);
  }

  mailboxBytes(shard: number, mailbox: string): number {
    return this.#shards.get(shard)?.mailboxes.get(mailbox) ?? 0;
  }

  typeBytes(shard: number, type: string): number {
    return this.#shards.get(shard)?.types.get(type) ?? 0;
  }

  clear(): void {
    this.#shards.clear();
  }

  #forget(shard: number, isGone: (mail: CountedMail) => boolean): void {
    const known = this.#shards.get(shard);
    if (known === undefined || !known.appends.some(isGone)) return;
    for (const mail of known.appends) if (isGone(mail)) change(known, mail, -mail.bytes);
    known.appends = known.appends.filter((mail) => !isGone(mail));
  }
}

function change({ mailboxes, types }: OfShard, { mailbox, type }: CountedMail, bytes: number): void {
  for (const [sums, name] of [[mailboxes, mailbox] as const, [types, type] as const]) {
    const sum = (sums.get(name) ?? 0) + bytes;
    if (sum > 0) sums.set(name, sum);
    else sums.delete(name);
  }
}
