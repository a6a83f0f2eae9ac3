import { describe, expect, test } from "vitest";
import { AgentId, type AgentState, BaseAgent, TopicId } from "../../src/core/index.ts";
import { decodeGetSubscriptionsResponse, emptyMessage, encodeRegisterAgentRequest } from "../../src/protocol/index.ts";
import { type ControlEnvelope, clientDestination, decodeControl, encodeControl } from "../../src/protocol/internal.ts";
import { type FrameStream, grpcDialer, type Link } from "../../src/transport/index.ts";
import { Inbox } from "../support/inbox.ts";
import { MyMessage } from "../support/worker/messages.ts";
import { startRig, type WorkerRig } from "../support/worker/worker-rig.ts";

class Keeper extends BaseAgent {
  readonly #seen: Inbox<string>;
  count = 0;

  constructor(seen: Inbox<string>) {
    super("keeps a count");
    this.#seen = seen;
  }

  override onMessageImpl(message: unknown): void {
    this.#seen.put(`${this.id} ${MyMessage.is(message) ? message.content : "?"}`);
  }

  override async saveState(): Promise<AgentState> {
    return { count: this.count };
  }

  override async loadState({ count }: AgentState): Promise<void> {
    this.count = Number(count);
  }

  override async close(): Promise<void> {
    this.#seen.put(`${this.id} closed`);
  }
}

/** A client of generation 3 that is no worker: it asks over the control channel. */
class Requester {
  readonly link: Link;
  readonly inbox = new Inbox<ControlEnvelope>();
  readonly #metadata: Readonly<Record<string, string>>;
  readonly #stream: FrameStream;

  constructor(rig: WorkerRig, clientId: string) {
    this.link = grpcDialer().dial(rig.host.address);
    this.#metadata = { "client-id": clientId };
    this.#stream = this.link.openStream(
      "OpenControlChannel",
      {
        onFrame: (bytes) => this.inbox.put(decodeControl(bytes)),
        onHalfClose: () => {},
        onBadFrame: () => {},
        onDrain: () => {},
        onEnd: () => {},
      },
      { metadata: this.#metadata },
    );
  }

  async ask(envelope: ControlEnvelope): Promise<ControlEnvelope> {
    this.#stream.send(encodeControl(envelope));
    return this.inbox.take();
  }

  unary(method: string, request: Uint8Array): Promise<Uint8Array> {
    return this.link.unary(method, request, { metadata: this.#metadata });
  }
}

describe("our worker at our host over gRPC", () => {
  test("each agent instance is subscribed once, to the topic type that equals its key [§8.121]", async () => {
    await using rig = await startRig("gRPC");
    const worker = await rig.worker();
    const seen = new Inbox<string>();
    worker.addMessageSerializer(MyMessage);
    await new Keeper(seen).registerInstance(worker, new AgentId("inst", "k1"));
    await new Keeper(seen).registerInstance(worker, new AgentId("inst", "k2"));

    const asker = new Requester(rig, "asker");
    const listed = decodeGetSubscriptionsResponse(await asker.unary("GetSubscriptions", emptyMessage));
    expect(listed.map(({ pattern }) => pattern)).toEqual([
      { kind: "type", topicType: "k1", agentType: "inst" },
      { kind: "prefix", topicTypePrefix: "inst:", agentType: "inst" },
      { kind: "type", topicType: "k2", agentType: "inst" },
    ]);
    await worker.publishMessage(MyMessage({ content: "one" }), new TopicId("k1", "k1"));
    await worker.publishMessage(MyMessage({ content: "two" }), new TopicId("k2", "k2"));
    await worker.publishMessage(MyMessage({ content: "direct" }), new TopicId("inst:", "k2"));
    expect((await seen.takeMany(3)).sort()).toEqual(["inst/k1 one", "inst/k2 direct", "inst/k2 two"]);
    await asker.link.close();
  });

  test("after stop each agent was closed once, and the host has freed the client [§8.100]", async () => {
    await using rig = await startRig("gRPC");
    const worker = await rig.worker();
    const seen = new Inbox<string>();
    await worker.registerFactory("keeper", () => new Keeper(seen));
    await worker.get("keeper", "one", { lazy: false });
    await worker.get("keeper", "two", { lazy: false });
    await worker.stop();
    expect([...seen.rest].sort()).toEqual(["keeper/one closed", "keeper/two closed"]);

    const next = new Requester(rig, "next");
    await expect(next.unary("RegisterAgent", encodeRegisterAgentRequest("keeper"))).resolves.toEqual(emptyMessage);
    expect(rig.host.counters()).toMatchObject({ channels: 0, agentTypes: 1, subscriptions: 0 });
    await next.link.close();
  });

  test("a client that is not a worker saves and loads an agent's state [§8.106] [§8.107]", async () => {
    await using rig = await startRig("gRPC");
    const worker = await rig.worker();
    const keeper = new Keeper(new Inbox<string>());
    await worker.registerFactory("a", () => keeper);
    const requester = new Requester(rig, "R");
    const agentId = { type: "a", key: "k" };
    const to = { destination: "agentid=a/k", respondTo: clientDestination("R") };

    const loaded = await requester.ask({
      ...to,
      rpcId: "1",
      body: { kind: "load-request", agentId, state: '{"count": 41}' },
    });
    expect(loaded).toEqual({
      rpcId: "1",
      destination: "clientid=R",
      respondTo: "",
      body: { kind: "load-response", error: undefined },
    });
    expect(keeper.count).toBe(41);

    keeper.count += 1;
    const saved = await requester.ask({ ...to, rpcId: "2", body: { kind: "save-request", agentId } });
    expect(saved).toMatchObject({ rpcId: "2", destination: "clientid=R", respondTo: "" });
    expect(saved.body).toEqual({ kind: "save-response", state: '{"count":42}', error: undefined });
    await requester.link.close();
  });

  test("a state that cannot be loaded is answered with the agent's error, and the channel stays open [§8.107]", async () => {
    await using rig = await startRig("gRPC");
    const worker = await rig.worker();
    await worker.registerFactory("a", () => new Keeper(new Inbox<string>()));
    const requester = new Requester(rig, "R");
    const agentId = { type: "a", key: "k" };
    const to = { destination: "agentid=a/k", respondTo: clientDestination("R") };
    const refused = await requester.ask({
      ...to,
      rpcId: "1",
      body: { kind: "load-request", agentId, state: "no JSON" },
    });
    expect(refused).toMatchObject({ rpcId: "1", body: { kind: "load-response", error: expect.stringMatching(/./) } });
    const saved = await requester.ask({ ...to, rpcId: "2", body: { kind: "save-request", agentId } });
    expect(saved.body).toEqual({ kind: "save-response", state: '{"count":0}', error: undefined });
    await requester.link.close();
  });
});
