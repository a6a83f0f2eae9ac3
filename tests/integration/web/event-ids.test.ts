import { BaseAgent, type MessageContext, TypeSubscription } from "troupe";
import { expect, test } from "vitest";
import { Host } from "../../../src/host/index.ts";
import { createMemoryNetwork } from "../../../src/transport/index.ts";
import { WorkerRuntime } from "../../../src/worker/index.ts";
import { News, Stage } from "../../contract/gateway/world.ts";
import { Inbox } from "../../support/inbox.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";
import { as, byToken } from "./web-stage.ts";

class Reader extends BaseAgent {
  readonly #seen: Inbox<string>;

  constructor(seen: Inbox<string>) {
    super("reads news");
    this.#seen = seen;
  }

  protected override onMessageImpl(message: unknown, { messageId }: MessageContext): undefined {
    if (News.is(message)) this.#seen.put(`${message.text} ${messageId}`);
  }
}

/** A gateway at one worker, and at another one an agent whose worker remembers ids of events. */
async function openNewsroom() {
  const network = createMemoryNetwork();
  const logger = new RecordingLogger();
  const host = new Host({ listener: network, address: "127.0.0.1:0" }, { logger });
  await host.start();
  const options = { dialer: network, address: host.address, logger, drainTimeoutMs: 200 };
  const front = new WorkerRuntime(options);
  const agents = new WorkerRuntime({ ...options, rememberedEvents: 100 });
  await Promise.all([front.start(), agents.start()]);
  const close = async () => {
    await Promise.all([front.stop(), agents.stop()]);
    await host.stop({ graceMs: 0 });
  };
  const stage = await Stage.open(async () => ({ front, agents, close }), { authenticate: byToken });
  agents.addMessageSerializer([News]);
  const seen = new Inbox<string>();
  await agents.registerFactory("reader", () => new Reader(seen));
  await agents.addSubscription(new TypeSubscription("news", "reader"));
  const publish = async (name: string, id: string, source: string, text: string) => {
    const event = { "ce-id": id, "ce-type": "news", "ce-source": source, "ce-specversion": "1.0" };
    const headers = { ...as(name), ...event, "ce-messagetype": "News" };
    expect((await stage.ask("POST", `/topics/news/${source}`, { body: { text }, headers })).status).toBe(202);
  };
  return { stage, seen, publish, [Symbol.asyncDispose]: () => stage[Symbol.asyncDispose]() };
}

test("the id of a CloudEvent counts for its principal and its topic alone, so that no client suppresses the event of another", async () => {
  await using newsroom = await openNewsroom();
  const { seen, publish } = newsroom;
  await publish("ada", "1", "tech", "first");
  await publish("ada", "1", "tech", "again");
  await publish("bob", "1", "tech", "of bob");
  await publish("ada", "1", "sport", "of sport");
  await publish("ada", "2", "tech", "second");
  const [first, bob, sport, second] = [await seen.take(), await seen.take(), await seen.take(), await seen.take()];
  const texts = [first, bob, sport, second].map((one) => one.replace(/ [^ ]*$/, ""));
  expect(texts).toEqual(["first", "of bob", "of sport", "second"]);
  expect(first).toMatch(/ web-[\w-]{43}$/);
});
