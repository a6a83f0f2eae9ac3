import { describe, expect, test } from "vitest";
import {
  AgentInstantiationContext,
  ambientContexts,
  MessageHandlerContext,
  SubscriptionInstantiationContext,
} from "../../../src/context/index.ts";
import {
  AgentId,
  BaseAgent,
  DefaultSubscription,
  SingleThreadedAgentRuntime,
  subscriptionFactory,
  TopicId,
} from "../../../src/core/index.ts";
import { Gate } from "../../support/gate.ts";
import { Inbox } from "../../support/inbox.ts";
import { say } from "../../support/say.ts";

class Asker extends BaseAgent {
  readonly #handle: () => unknown;

  constructor(handle: () => unknown = () => undefined) {
    super("asks the contexts");
    this.#handle = handle;
  }

  protected override onMessageImpl(): unknown {
    return this.#handle();
  }
}

function openRuntime(): SingleThreadedAgentRuntime {
  const runtime = new SingleThreadedAgentRuntime({ ambient: ambientContexts });
  void runtime.start();
  return runtime;
}

describe("AgentInstantiationContext", () => {
  test("names the agent and the runtime in a factory and in the constructor, after awaits too", async () => {
    await using runtime = openRuntime();
    const told: unknown[] = [];
    class Curious extends Asker {
      constructor() {
        super();
        told.push(AgentInstantiationContext.currentAgentId().toString());
      }
    }
    await runtime.registerFactory("curious", async () => {
      told.push(AgentInstantiationContext.isInFactoryCall());
      await new Promise((resolve) => setImmediate(resolve));
      told.push(AgentInstantiationContext.currentRuntime() === runtime);
      return new Curious();
    });
    await runtime.get("curious", "k", { lazy: false });
    expect(told).toEqual([true, true, "curious/k"]);
  });

  test("is an error elsewhere, with the text of AutoGen", () => {
    expect(AgentInstantiationContext.isInFactoryCall()).toBe(false);
    for (const ask of [AgentInstantiationContext.currentAgentId, AgentInstantiationContext.currentRuntime]) {
      expect(ask).toThrow("must be called within an instantiation context such as when the AgentRuntime is");
    }
  });
});

describe("MessageHandlerContext", () => {
  test("names the agent whose handler runs, in calls and events, each by itself after awaits", async () => {
    await using runtime = openRuntime();
    const gate = new Gate();
    const told = new Inbox<string>();
    await runtime.registerFactory("asker", () => {
      return new Asker(async () => {
        await gate.opened;
        told.put(MessageHandlerContext.agentId().toString());
      });
    });
    await runtime.addSubscription(new DefaultSubscription("default", "asker"));
    const calls = ["a", "b"].map((key) => runtime.sendMessage(say("go"), new AgentId("asker", key)));
    await runtime.publishMessage(say("go"), new TopicId("default", "c"));
    gate.open();
    await Promise.all(calls);
    expect((await told.takeMany(3)).sort()).toEqual(["asker/a", "asker/b", "asker/c"]);
    expect(() => MessageHandlerContext.agentId()).toThrow();
  });

  test("is an error elsewhere, with the text of AutoGen", () => {
    expect(() => MessageHandlerContext.agentId()).toThrow(
      "MessageHandlerContext.agent_id() must be called within a message handler.",
    );
  });
});

describe("SubscriptionInstantiationContext", () => {
  test("names the type that is being registered, in asynchronous factories too", async () => {
    await using runtime = openRuntime();
    const told: string[] = [];
    @subscriptionFactory(async () => {
      await new Promise((resolve) => setImmediate(resolve));
      told.push(SubscriptionInstantiationContext.agentType().type);
      return [];
    })
    class Subscribed extends Asker {}
    await Subscribed.register(runtime, "subscribed", () => new Subscribed());
    expect(told).toEqual(["subscribed"]);
  });

  test("gives a default subscription its agent type after awaits too, of several at once each its own", async () => {
    await using runtime = openRuntime();
    const told = new Inbox<string>();
    class Reader extends BaseAgent {
      static override readonly subscriptions = [
        async () => {
          await new Promise((resolve) => setImmediate(resolve));
          return new DefaultSubscription("news");
        },
      ];

      constructor() {
        super("reads");
      }

      protected override onMessageImpl(): void {
        told.put(this.id.type);
      }
    }
    await Promise.all(["one", "two"].map((type) => Reader.register(runtime, type, () => new Reader())));
    await runtime.publishMessage(say("go"), new TopicId("news", "k"));
    expect((await told.takeMany(2)).sort()).toEqual(["one", "two"]);
    expect(() => new DefaultSubscription()).toThrow("agentType must be given");
  });

  test("is an error elsewhere", () => {
    expect(() => SubscriptionInstantiationContext.agentType()).toThrow("must be called within an instantiation");
  });
});
