import { describe, expect, test } from "vitest";
import { AgentShelf, type AgentShelfOptions } from "../../../../src/core/delivery/index.ts";
import {
  type Agent,
  AgentId,
  type AgentRuntime,
  BaseAgent,
  type RuntimeEvent,
  SingleThreadedAgentRuntime,
} from "../../../../src/core/index.ts";
import { Gate } from "../../../support/gate.ts";
import { RecordingLogger } from "../../../support/recording-logger.ts";

class Plain extends BaseAgent {
  closed = 0;

  constructor() {
    super("plain");
  }

  protected override onMessageImpl(): void {}

  override close(): void {
    this.closed += 1;
  }
}

class Special extends Plain {}

const id = new AgentId("a", "k");

function openShelf(options: Partial<AgentShelfOptions> = {}): { shelf: AgentShelf; runtime: AgentRuntime } {
  const runtime = new SingleThreadedAgentRuntime({ logger: new RecordingLogger() });
  return { runtime, shelf: new AgentShelf({ runtime, ...options }) };
}

describe("AgentShelf", () => {
  test("an agent is made once, and handed out at once from then on", async () => {
    const { shelf } = openShelf();
    shelf.addFactory("a", () => new Plain());
    const [first, second] = await Promise.all([shelf.agentFor(id), shelf.agentFor(id)]);
    expect(first).toBe(second);
    expect(shelf.agentFor(id)).toBe(first);
    expect(shelf.peek(id)).toBe(first);
    expect([...shelf.liveAgents()].map(([liveId]) => liveId.toString())).toEqual(["a/k"]);
  });

  test("whoever waited for an agent gets it before those who find it live", async () => {
    const { shelf } = openShelf();
    const gate = new Gate();
    shelf.addFactory("a", async () => {
      await gate.opened;
      return new Plain();
    });
    const order: string[] = [];
    const arrive = async (name: string) => {
      const found = shelf.agentFor(id);
      if (found instanceof Promise) await found;
      order.push(name);
    };
    const waiting = [arrive("1"), arrive("2")];
    gate.open();
    while (shelf.peek(id) === undefined) await undefined;
    await Promise.all([...waiting, arrive("3")]);
    expect(order).toEqual(["1", "2", "3"]);
  });

  test("a failed attempt is told to the logger and the events, and is not kept", async () => {
    const events: RuntimeEvent[] = [];
    const logger = new RecordingLogger();
    const { shelf } = openShelf({ logger, events: { withPayloads: false, emit: (event) => events.push(event) } });
    let attempts = 0;
    shelf.addFactory("a", () => {
      attempts += 1;
      if (attempts === 1) throw new Error("no key");
      return new Plain();
    });
    await expect(shelf.agentFor(id)).rejects.toThrow("no key");
    expect(events).toEqual([{ type: "AgentConstructionException", agent_id: "a/k", exception: "no key" }]);
    expect(logger.texts("error")).toEqual(["Error constructing agent a/k: no key"]);
    expect(await shelf.agentFor(id)).toBeInstanceOf(Plain);
  });

  test("the promised class: a subclass will do, or must be exact on request", async () => {
    for (const [classCheck, code] of [
      ["subclass", undefined],
      ["exact", "wrong-class"],
    ] as const) {
      const { shelf } = openShelf({ classCheck });
      shelf.addFactory("a", () => new Special(), { expectedClass: Plain });
      const made = Promise.resolve(shelf.agentFor(id));
      if (code === undefined) expect(await made).toBeInstanceOf(Special);
      else await expect(made).rejects.toMatchObject({ code });
    }
  });

  test("a factory that is none, or that returns nothing, is told by its type", async () => {
    const { shelf } = openShelf();
    const instead = new Plain() as never;
    expect(() => shelf.addFactory("a", instead)).toThrow("The factory of agent type a must be a function");
    shelf.addFactory("a", () => undefined as never);
    await expect(shelf.agentFor(id)).rejects.toThrow("The factory of agent type a returned no agent.");
  });

  test("a factory can be taken back, so that the type is free again", async () => {
    const { shelf } = openShelf();
    shelf.addFactory("a", () => new Plain());
    shelf.removeFactory("a");
    expect(() => shelf.agentFor(id)).toThrow("Agent with name a not found.");
    shelf.addFactory("a", () => new Special());
    expect(shelf.types()).toEqual(["a"]);
    expect(await shelf.agentFor(id)).toBeInstanceOf(Special);
  });

  test("an instance that can not be bound leaves nothing behind", async () => {
    const { shelf } = openShelf();
    const bound = new Plain();
    await shelf.addInstance(bound, id);
    await expect(shelf.addInstance(bound, new AgentId("b", "k"))).rejects.toMatchObject({ code: "wrong-state" });
    expect(shelf.types()).toEqual(["a"]);
    shelf.removeInstance(id);
    expect(shelf.hasType("a")).toBe(false);
  });

  test("an instance gets no message before it is bound", async () => {
    const { shelf } = openShelf();
    const gate = new Gate();
    const agent = new Plain();
    const bind = agent.bindIdAndRuntime.bind(agent);
    Object.assign(agent, {
      bindIdAndRuntime: async (...args: Parameters<Agent["bindIdAndRuntime"]>) => {
        await gate.opened;
        bind(...args);
      },
    });
    const added = shelf.addInstance(agent, id);
    const found = shelf.agentFor(id);
    expect(found).toBeInstanceOf(Promise);
    await expect(shelf.addInstance(new Plain(), id)).rejects.toMatchObject({ code: "already-exists" });
    gate.open();
    await added;
    expect((await found).id.toString()).toBe("a/k");
  });

  test("closing closes each agent once, those in the making too, and tells what failed", async () => {
    const { shelf } = openShelf();
    const agents: Plain[] = [];
    shelf.addFactory("a", async ({ id: made }) => {
      const agent = new Plain();
      agents.push(agent);
      if (made.key !== "good") {
        agent.close = () => {
          throw new Error(`stuck ${made.key}`);
        };
      }
      return agent;
    });
    for (const key of ["good", "bad", "worse"]) void shelf.agentFor(new AgentId("a", key));
    await expect(shelf.close()).rejects.toThrow("2 agents failed to close.");
    expect(agents.map((agent) => agent.closed)).toEqual([1, 0, 0]);
    await shelf.close();
    expect([...shelf.liveAgents()]).toEqual([]);
    expect(shelf.hasType("a")).toBe(true);
  });

  test("one agent that fails to close is told with its own error", async () => {
    const { shelf } = openShelf();
    const agent = new Plain();
    agent.close = () => {
      throw new Error("stuck");
    };
    await shelf.addInstance(agent, id);
    await expect(shelf.close()).rejects.toThrow("stuck");
  });
});
