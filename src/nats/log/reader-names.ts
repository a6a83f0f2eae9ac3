import { ShardTakenError, StoreError } from "../../core/internal.ts";
import { type Fields, isCount } from "../api-answer.ts";
import type { NatsClient } from "../nats-client.ts";
import type { StreamAsks } from "./stream-asks.ts";

/** Where the consumers of the readers of a shard are: `s<shard>-<token>-<anything>`. */
export interface ReadersOf {
  readonly client: NatsClient;
  readonly asks: StreamAsks;
  readonly stream: string;
  readonly shard: number;
}

/** Names of consumers that are looked at. Each shard has one, and a few for some minutes after its owner was lost. */
const mostNames = 100_000;

interface ConsumerNames {
  readonly total: number;
  readonly consumers: readonly string[] | null;
}

interface ReaderName {
  readonly name: string;
  readonly token: number;
}

/** Names a new consumer of a reader. */
export function consumerName({ shard }: Pick<ReadersOf, "shard">, token: number, unique: string): string {
  return `s${shard}-${token}-${unique}`;
}

/** Deletes the consumers of other readers. Rejects as `fenced` if one has a higher token; then `own` is deleted. */
export async function assertHighest(of: ReadersOf, token: number, own: string): Promise<void> {
  const others = (await readersOf(of)).filter(({ name }) => name !== own);
  const highest = Math.max(token, ...others.map((other) => other.token));
  if (highest > token) {
    void dropConsumer(of, own);
    throw takenOver(highest);
  }
  await Promise.all(others.map(({ name }) => dropConsumer(of, name)));
}

/** The last place that a reader of a shard was given. 0: the servers do not know it any more. */
export async function reachedPlace(of: ReadersOf): Promise<number> {
  const readers = await readersOf(of);
  const places = await Promise.all(
    readers.map(async ({ name }) => {
      const api = `CONSUMER.INFO.${of.stream}.${name}`;
      const answer = await of.client.ask<{ readonly delivered?: { readonly stream_seq?: unknown } | null }>(
        api,
        undefined,
      );
      const place = answer !== undefined && "value" in answer ? answer.value.delivered?.stream_seq : undefined;
      return isCount(place) ? place : 0;
    }),
  );
  return Math.max(0, ...places);
}

/** Asks once: a server that is away holds a consumer which it can't be asked about, and which no reader can use either. */
export async function dropConsumer(
  { client, stream }: Pick<ReadersOf, "client" | "stream">,
  name: string,
): Promise<void> {
  await client.ask(`CONSUMER.DELETE.${stream}.${name}`, undefined);
}

/** Makes the error of a reader that another one has replaced. `token`: that of the other one, where it is known. */
export function takenOver(token?: number): StoreError {
  const text = "Another host reads this shard of the mail by now.";
  return token === undefined ? new StoreError("fenced", text) : new ShardTakenError(text, token);
}

function isPage({ total, consumers }: Fields): boolean {
  const isList = Array.isArray(consumers) && consumers.every((name) => typeof name === "string");
  return isCount(total) && (consumers === null || isList);
}

async function readersOf({ asks, stream, shard }: ReadersOf): Promise<readonly ReaderName[]> {
  const prefix = `s${shard}-`;
  const names: string[] = [];
  for (;;) {
    const answer = await asks.ask<ConsumerNames>(`CONSUMER.NAMES.${stream}`, { offset: names.length }, isPage);
    const page = "value" in answer ? (answer.value.consumers ?? []) : [];
    names.push(...page);
    const isLast = !("value" in answer) || names.length >= Math.min(answer.value.total, mostNames);
    if (isLast || page.length === 0) break;
  }
  return names.flatMap((name) => {
    const token = Number(name.startsWith(prefix) ? name.slice(prefix.length).split("-")[0] : Number.NaN);
    return Number.isSafeInteger(token) ? [{ name, token }] : [];
  });
}
