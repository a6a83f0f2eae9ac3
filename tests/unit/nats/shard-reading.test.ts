import { expect, it } from "vitest";
import { type AgentName, type KeptMessage, StoreError } from "../../../src/core/internal.ts";
import type { Msg } from "../../../src/nats/driver.ts";
import { DeletionRounds } from "../../../src/nats/log/deletion-rounds.ts";
import { writeMailHeaders } from "../../../src/nats/log/mail-headers.ts";
import { ReadBudget } from "../../../src/nats/log/read-budget.ts";
import { ShardReading } from "../../../src/nats/log/shard-reading.ts";
import { StreamAsks } from "../../../src/nats/log/stream-asks.ts";
import { NatsClient } from "../../../src/nats/nats-client.ts";
import { ManualClock } from "../../../src/testing/index.ts";
import { fakeNats } from "./fake-connection.ts";

const nothing = (): void => undefined;
const log = { debug: nothing, info: nothing, warn: nothing, error: nothing };
const [one, two, three] = ["1", "2", "3"].map((key) => ({ type: "writer", key })) as [AgentName, AgentName, AgentName];

function headersOf(entries: Map<string, string>) {
  return {
    code: 0,
    get: (name: string) => entries.get(name) ?? "",
    set: (name: string, value: string) => void entries.set(name, value),
  };
}

interface Given {
  readonly version?: string;
  readonly isSmall?: () => boolean;
  /** The first message of the shard that the server has. */
  readonly firstPlace?: () => number;
  /** The answer to a purge. */
  readonly purge?: () => object;
}

/** A reading of a shard whose server says what a test gives. `asked` has its deletions: `3`, or `to 5` for a purge. */
class Lab {
  readonly asked: string[] = [];
  readonly removed: number[] = [];
  readonly messages: KeptMessage[] = [];
  readonly reading: ShardReading;
  readonly clock = new ManualClock();
  readonly #given: Given;
  readonly #rounds = new DeletionRounds();
  #onMessage: (error: null, message: Msg) => void = nothing;
  #number = 0;

  constructor(given: Given = {}) {
    this.#given = given;
    const fake = fakeNats({
      ...(given.version === undefined ? {} : { version: given.version }),
      answer: (subject, body) => (subject.includes(".MSG.NEXT.") ? undefined : this.#answer(subject, body)),
      onUnanswered: (_subject, hear) => {
        this.#onMessage = hear;
      },
    });
    const client = new NatsClient({ ...fake, inboxPrefix: "_INBOX", clock: this.clock, log });
    this.reading = new ShardReading({
      ...{ client, asks: new StreamAsks(client, this.clock), stream: "MAIL", filter: "mail.7.>", shard: 7, token: 1 },
      ...{ budget: new ReadBudget(), clock: this.clock, makeId: () => "consumer", log, lost: [], rounds: this.#rounds },
      reader: { onMessage: (message) => void this.messages.push(message), onLost: nothing },
      ...{ isSmall: given.isSmall ?? (() => true), onOver: nothing },
      onRemoved: ({ place }) => void this.removed.push(place),
    });
  }

  static async open(given?: Given): Promise<Lab> {
    const lab = new Lab(given);
    await lab.reading.start();
    return lab;
  }

  /** A message of a mailbox comes to the consumer. */
  come(place: number, mailbox: AgentName): void {
    const entries = new Map<string, string>();
    const message = { id: `${place}`, kind: "call", frame: new Uint8Array(1), sentAtMs: 1 } as const;
    // Only these members are used.
    const headers = headersOf(entries) as unknown as NonNullable<Msg["headers"]>;
    writeMailHeaders(headers, "id", mailbox, message);
    this.#number += 1;
    const reply = `$JS.ACK.MAIL.consumer.1.${place}.${this.#number}.1.0`;
    this.#onMessage(null, { subject: "_INBOX.1.1", reply, headers, data: message.frame } as unknown as Msg);
  }

  settle(...places: readonly number[]): Promise<PromiseSettledResult<void>[]> {
    return Promise.allSettled(
      places.map((place) => {
        const message = this.messages.find((candidate) => candidate.place === place);
        return message === undefined ? Promise.reject(new Error("not there")) : this.reading.settle(message);
      }),
    );
  }

  /** The consumer is made anew. */
  async restart(): Promise<void> {
    this.reading.restart("the connection was lost");
    this.#number = 0;
    this.#onMessage = nothing;
    this.clock.advance(0);
    while (this.#onMessage === nothing) await new Promise((resolve) => setImmediate(resolve));
  }

  #answer(subject: string, body: Uint8Array): Msg {
    const { seq = 0 } = body.length === 0 ? {} : JSON.parse(new TextDecoder().decode(body));
    const answer = (fields: object) => {
      // Only this member is used.
      return { data: new TextEncoder().encode(JSON.stringify(fields)) } as Msg;
    };
    if (subject.includes("CONSUMER.NAMES")) return answer({ total: 0, consumers: [] });
    if (subject.includes("MSG.GET")) {
      const place = this.#given.firstPlace?.();
      return answer(place === undefined ? { error: { err_code: 10_037 } } : { message: { seq: place } });
    }
    if (subject.includes("STREAM.PURGE")) {
      this.asked.push(`to ${seq - 1}`);
      return answer(this.#given.purge?.() ?? { success: true });
    }
    if (subject.includes("MSG.DELETE")) this.asked.push(`${seq}`);
    return answer({ success: true });
  }
}

it("deletes what is settled together by one purge, up to the last of it", async () => {
  const lab = await Lab.open();
  for (const [place, mailbox] of [one, two, one, three].entries()) lab.come(place + 1, mailbox);
  await lab.settle(1, 2, 3, 4);
  expect([lab.asked, lab.removed]).toEqual([["to 4"], [1, 2, 3, 4]]);
  lab.come(9, one);
  await lab.settle(9);
  expect(lab.asked).toEqual(["to 4", "9"]);
});

it("purges nothing behind a message that is open, nor behind the first one that is spilled", async () => {
  const lab = await Lab.open();
  for (const [place, mailbox] of [one, two, one, three, two, three].entries()) lab.come(place + 1, mailbox);
  await lab.settle(1, 3, 4, 5);
  expect(lab.asked).toEqual(["1", "3", "4", "5"]);
  lab.reading.spill(three, 6);
  lab.come(7, one);
  lab.come(8, two);
  await lab.settle(2, 7, 8);
  expect(lab.asked.slice(4)).toEqual(["2", "7", "8"]);
});

it("purges what is before the first open message, and deletes the rest one by one", async () => {
  const lab = await Lab.open();
  for (const [place, mailbox] of [one, two, three, one, two].entries()) lab.come(place + 1, mailbox);
  await lab.settle(1, 2, 4, 5);
  expect([lab.asked, lab.removed.sort()]).toEqual([
    ["to 2", "4", "5"],
    [1, 2, 4, 5],
  ]);
});

it("purges again behind messages that it has passed when the shard has none of them any more", async () => {
  let firstPlace = 1;
  const lab = await Lab.open({ firstPlace: () => firstPlace });
  for (let place = 1; place <= 12; place += 1) lab.come(place, place === 1 ? one : two);
  lab.reading.pass(one, lab.messages.slice(0, 1));
  await lab.settle(2, 3);
  firstPlace = 4;
  // It does not ask each time.
  await lab.settle(4, 5);
  expect(lab.asked).toEqual(["2", "3", "4", "5"]);
  lab.clock.advance(1_000);
  await lab.settle(6, 7);
  expect(lab.asked.slice(4)).toEqual(["6", "7"]);
  // What was passed may be up to the place of the consumer then.
  firstPlace = 13;
  lab.come(13, two);
  lab.come(14, two);
  lab.clock.advance(2_000);
  await lab.settle(8, 9, 10, 11, 12, 13);
  expect(lab.asked.slice(6)).toEqual(["to 13"]);
});

it("purges nothing after the consumer was made anew, until the first message of the shard is a later one", async () => {
  let firstPlace: number | undefined;
  const lab = await Lab.open({ firstPlace: () => firstPlace ?? 0 });
  lab.come(1, one);
  lab.come(2, two);
  await lab.restart();
  lab.come(3, one);
  lab.come(4, two);
  // The servers may have lost messages, and given their places to new ones.
  firstPlace = 2;
  await lab.settle(1, 2, 3);
  expect(lab.asked).toEqual(["1", "2", "3"]);
  lab.come(5, one);
  firstPlace = 4;
  lab.clock.advance(1_000);
  await lab.settle(4, 5);
  expect(lab.asked.slice(3)).toEqual(["to 5"]);
});

it("purges nothing behind what it has read back, where its shard was not read to yet", async () => {
  const lab = await Lab.open();
  lab.come(1, one);
  lab.reading.spill(one, 0);
  const entries = new Map<string, string>();
  // Only these members are used.
  const headers = headersOf(entries) as unknown as NonNullable<Msg["headers"]>;
  writeMailHeaders(headers, "id", one, { id: "7", kind: "call", frame: new Uint8Array(1), sentAtMs: 1 });
  for (const place of [7, 8]) {
    const kept = lab.reading.readBack(one, { place, headers, data: new Uint8Array(1) });
    if (kept !== undefined) lab.messages.push(kept);
  }
  expect(lab.reading.endSpill(one)).toBe(true);
  await lab.settle(7, 8);
  expect(lab.asked).toEqual(["7", "8"]);
});

it("purges nothing at servers that may forget it, nor while there is much mail", async () => {
  for (const given of [{ version: "2.11.9" }, { isSmall: () => false }]) {
    const lab = await Lab.open(given);
    for (const place of [1, 2, 3]) lab.come(place, one);
    await lab.settle(1, 2, 3);
    expect(lab.asked).toEqual(["1", "2", "3"]);
  }
});

it("asks for no deletion of messages whose mailbox was emptied", async () => {
  const lab = await Lab.open();
  for (const place of [1, 2, 3]) lab.come(place, one);
  lab.reading.emptied(one, 2);
  await lab.settle(1, 2, 3);
  expect([lab.asked, lab.removed]).toEqual([["3"], [3]]);
});

it("says of each message of a purge that it failed, and deletes it when it is settled again", async () => {
  let error: object | undefined = { error: { code: 400, err_code: 1, description: "no" } };
  const lab = await Lab.open({ purge: () => error ?? { success: true } });
  for (const place of [1, 2]) lab.come(place, one);
  const failed = await lab.settle(1, 2);
  expect(failed).toEqual([1, 2].map(() => ({ status: "rejected", reason: expect.any(StoreError) })));
  error = undefined;
  await lab.settle(1, 2);
  expect([lab.asked, lab.removed]).toEqual([
    ["to 2", "to 2"],
    [1, 2],
  ]);
});

it("begins no deletion after its end, and leaves nothing waiting", async () => {
  const lab = await Lab.open();
  for (const place of [1, 2]) lab.come(place, one);
  const settling = lab.settle(1, 2);
  lab.reading.end();
  expect(await settling).toEqual([1, 2].map(() => ({ status: "fulfilled", value: undefined })));
  expect(lab.asked).toEqual([]);
});

it("has at most four rounds of deletions under way, in the order in which they were planned", async () => {
  const rounds = new DeletionRounds();
  const begun: number[] = [];
  const ends: (() => void)[] = [];
  for (let number = 1; number <= 6; number += 1)
    rounds.run(async () => {
      begun.push(number);
      await new Promise<void>((resolve) => void ends.push(resolve));
    });
  expect(begun).toEqual([1, 2, 3, 4]);
  ends[1]?.();
  while (begun.length < 5) await new Promise((resolve) => setImmediate(resolve));
  expect(begun).toEqual([1, 2, 3, 4, 5]);
  for (const end of ends) end();
});
