import {
  AgentId,
  BaseAgent,
  ClosureAgent,
  classMessage,
  DefaultSubscription,
  defaultSubscription,
  defineMessage,
  event,
  handles,
  type MessageContext,
  type MessageOf,
  RoutedAgent,
  type SubscriptionFactory,
  TopicId,
  TypeSubscription,
  typeSubscription,
} from "troupe";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { contextOf, RecordingRuntime } from "./recording-runtime.ts";

const Note = defineMessage("Note", z.object({ text: z.string() }));
class Extra {}

@typeSubscription("notes")
@handles(classMessage("Extra", Extra))
class Noter extends RoutedAgent {
  static override readonly subscriptions: readonly SubscriptionFactory[] = [
    ({ agentType }) => new TypeSubscription("more", agentType),
    async () => [new DefaultSubscription("listed"), new DefaultSubscription()],
  ];

  @event(Note)
  note(_note: MessageOf<typeof Note>) {}
}
class Unsubscribed extends Noter {}

class Plain extends BaseAgent {
  protected override onMessageImpl(message: unknown, _context: MessageContext) {
    return message;
  }
}

describe("register", () => {
  test("makes the handled types known, then registers the factory, the class subscriptions and the direct one [§8.120]", async () => {
    const runtime = new RecordingRuntime();
    const type = await Noter.register(runtime, "noter", () => new Noter("takes notes"));
    expect(String(type)).toBe("noter");
    expect(runtime.expectedClass).toBe(Noter);
    expect(runtime.asked).toEqual([
      "types Extra Note",
      "factory noter",
      "subscribe type more",
      "subscribe type listed",
      "subscribe type default",
      "subscribe type notes",
      "subscribe prefix noter:",
    ]);
    for (const subscription of runtime.subscriptions) expect(subscription).toMatchObject({ agentType: "noter" });
    expect(runtime.warnings).toEqual([]);
  });

  test("leaves out what it is told to skip [§8.120]", async () => {
    const runtime = new RecordingRuntime();
    await Noter.register(runtime, "noter", () => new Noter(""), { skipClassSubscriptions: true });
    expect(runtime.asked).toEqual(["types Extra Note", "factory noter", "subscribe prefix noter:"]);
    const other = new RecordingRuntime();
    await Plain.register(other, "plain", () => new Plain(""), { skipDirectMessageSubscription: true });
    expect(other.asked).toEqual(["factory plain"]);
  });

  test("a subclass does not inherit subscriptions and extra types, but handlers", async () => {
    const runtime = new RecordingRuntime();
    await Unsubscribed.register(runtime, "heir", () => new Unsubscribed(""));
    expect(runtime.asked).toEqual(["types Note", "factory heir", "subscribe prefix heir:"]);
  });

  test("a decorator's and a default subscription are on the topic type `default`", async () => {
    @defaultSubscription()
    class Listener extends RoutedAgent {}
    const runtime = new RecordingRuntime();
    await Listener.register(runtime, "listener", () => new Listener(""));
    expect(runtime.asked).toContain("subscribe type default");
  });

  test("a type that .NET workers can't reach is registered with one warning", async () => {
    const runtime = new RecordingRuntime();
    await Plain.register(runtime, "a.b-c", () => new Plain(""), { skipDirectMessageSubscription: true });
    await Plain.register(runtime, "a.b-c", () => new Plain(""));
    expect(runtime.warnings).toHaveLength(1);
    expect(runtime.warnings[0]).toContain("a.b-c can't be reached from .NET workers");
  });
});

describe("registerInstance", () => {
  test("subscribes to the topic type that is the key, and to direct messages once for the type [§8.121]", async () => {
    const runtime = new RecordingRuntime();
    const first = await new Noter("").registerInstance(runtime, new AgentId("inst", "k1"));
    await new Noter("").registerInstance(runtime, new AgentId("inst", "k2"));
    expect(String(first)).toBe("inst/k1");
    expect(runtime.asked).toEqual([
      "types Extra Note",
      "instance inst/k1",
      "subscribe type k1",
      "subscribe prefix inst:",
      "types Extra Note",
      "instance inst/k2",
      "subscribe type k2",
    ]);
  });

  test("adds class subscriptions only when asked", async () => {
    const runtime = new RecordingRuntime();
    await new Noter("").registerInstance(runtime, new AgentId("inst", "k"), {
      skipClassSubscriptions: false,
      skipDirectMessageSubscription: true,
    });
    expect(runtime.asked).toEqual([
      "types Extra Note",
      "instance inst/k",
      "subscribe type k",
      "subscribe type more",
      "subscribe type listed",
      "subscribe type default",
      "subscribe type notes",
    ]);
  });
});

describe("BaseAgent", () => {
  test("knows its id and runtime once bound, and says so until then", () => {
    const agent = new Plain("plain one");
    expect(() => agent.id).toThrow("Plain has no id and runtime yet");
    const runtime = new RecordingRuntime();
    agent.bindIdAndRuntime(new AgentId("plain", "k"), runtime);
    agent.bindIdAndRuntime(new AgentId("plain", "k"), runtime);
    expect(agent.metadata).toEqual({ type: "plain", key: "k", description: "plain one" });
    expect(agent.runtime).toBe(runtime);
    expect(() => agent.bindIdAndRuntime(new AgentId("plain", "x"), runtime)).toThrow(
      "Agent is already bound to a different ID",
    );
    expect(() => agent.bindIdAndRuntime(new AgentId("plain", "k"), new RecordingRuntime())).toThrow(
      "Agent is already bound to a different runtime",
    );
  });

  test("refuses a description that is no text", () => {
    // @ts-expect-error plain JavaScript might
    expect(() => new Plain(5)).toThrow("Agent description must be a string");
  });

  test("sends and publishes in its own name", async () => {
    const runtime = new RecordingRuntime();
    const agent = new Plain("");
    agent.bindIdAndRuntime(new AgentId("plain", "k"), runtime);
    await agent.sendMessage(Note({ text: "" }), new AgentId("other", "x"), { timeoutMs: 7 });
    await agent.publishMessage(Note({ text: "" }), new TopicId("t", "s"), { messageId: "id" });
    expect(runtime.asked).toEqual(["send to other/x", "publish to t/s"]);
    expect(runtime.lastSend).toEqual({ timeoutMs: 7, sender: agent.id });
    expect(runtime.lastPublish).toEqual({ messageId: "id", sender: agent.id });
  });

  test("saves nothing by default, and warns of it once for a type", async () => {
    const runtime = new RecordingRuntime();
    const agent = new Plain("");
    agent.bindIdAndRuntime(new AgentId("plain", "k"), runtime);
    expect(await agent.saveState()).toEqual({});
    expect(await agent.saveState()).toEqual({});
    await agent.loadState({});
    await agent.close();
    expect(runtime.warnings).toEqual([
      expect.stringContaining("save_state not implemented: agents of type plain"),
      expect.stringContaining("load_state not implemented: agents of type plain"),
    ]);
  });
});

describe("ClosureAgent", () => {
  const Other = defineMessage("Other", z.object({}));

  async function registered(unknownTypePolicy?: "warn" | "error" | "ignore", types?: typeof Note) {
    const runtime = new RecordingRuntime();
    const seen: unknown[] = [];
    const closure = (_agent: unknown, message: unknown) => seen.push(message);
    await ClosureAgent.registerClosure(runtime, "closure", closure, { types, unknownTypePolicy });
    return { runtime, seen, agent: await runtime.make("closure") };
  }

  test("is registered with its types first, then its direct subscription, then its own", async () => {
    const runtime = new RecordingRuntime();
    await ClosureAgent.registerClosure(runtime, "closure", (_agent, _note) => undefined, {
      types: Note,
      description: "listens",
      subscriptions: [({ agentType }) => new TypeSubscription("t", agentType), () => new DefaultSubscription()],
    });
    expect(runtime.asked).toEqual([
      "types Note",
      "factory closure",
      "subscribe prefix closure:",
      "subscribe type t",
      "subscribe type default",
    ]);
    expect((await runtime.make("closure")).metadata.description).toBe("listens");
  });

  test("by default a message of an undeclared type is dropped with a warning [§8.135]", async () => {
    const { runtime, seen, agent } = await registered(undefined, Note);
    expect(agent.onMessage(Other({}), contextOf())).toBeUndefined();
    expect(seen).toEqual([]);
    expect(runtime.warnings).toEqual([
      "Message type Other not in target types [Note] of closure/default. Set unknownTypePolicy to 'error' to raise an exception, or 'ignore' to suppress this warning.",
    ]);
    agent.onMessage(Note({ text: "" }), contextOf());
    expect(seen).toEqual([{ text: "" }]);
  });

  test("with the policy error it is a CantHandleException, with ignore the closure is called anyway [§8.135]", async () => {
    const strict = await registered("error", Note);
    expect(() => strict.agent.onMessage(Other({}), contextOf())).toThrow(
      expect.objectContaining({ name: "CantHandleException", message: expect.stringContaining("[Note]") }),
    );
    const lenient = await registered("ignore", Note);
    expect(lenient.agent.onMessage(Other({}), contextOf())).toBe(1);
    expect(lenient.seen).toEqual([{}]);
  });

  test("without declared types it takes every message", async () => {
    const { runtime, seen, agent } = await registered();
    agent.onMessage(Other({}), contextOf());
    agent.onMessage("text", contextOf());
    expect(seen).toEqual([{}, "text"]);
    expect(runtime.warnings).toEqual([]);
  });

  test("has no state, and says nothing about it", async () => {
    const { runtime, agent } = await registered();
    expect(await agent.saveState()).toEqual({});
    await agent.loadState({ a: 1 });
    expect(runtime.warnings).toEqual([]);
  });

  test("sends in its agent's name", async () => {
    const runtime = new RecordingRuntime();
    await ClosureAgent.registerClosure(runtime, "closure", (agent, _message) =>
      agent.sendMessage(Note({ text: "" }), new AgentId("other", "x")),
    );
    await (await runtime.make("closure", "k")).onMessage(undefined, contextOf());
    expect(runtime.lastSend).toEqual({ sender: new AgentId("closure", "k") });
  });

  test("can't be made outside a runtime or with class subscriptions", async () => {
    // @ts-expect-error plain JavaScript might
    expect(() => new ClosureAgent(undefined, () => undefined)).toThrow("It cannot be directly instantiated.");
    @defaultSubscription()
    class Subscribed extends ClosureAgent {}
    await expect(Subscribed.registerClosure(new RecordingRuntime(), "c", () => undefined)).rejects.toThrow(
      "Closure agents are expected to have no class subscriptions",
    );
  });
});
