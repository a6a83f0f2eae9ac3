import { describe, expect, test } from "vitest";
import {
  type Agent,
  AgentId,
  type AgentRuntime,
  BaseAgent,
  type MessageLogRecord,
  SingleThreadedAgentRuntime,
} from "../../../../../src/core/index.ts";
import { AgentCatalog, type AgentCatalogOptions } from "../../../../../src/core/internal.ts";
import { Gate } from "../../../../support/gate.ts";
import { RecordingLogger } from "../../../../support/recording-logger.ts";

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

function openCatalog(options: Partial<AgentCatalogOptions> = {}): { catalog: AgentCatalog; runtime: AgentRuntime } {
  const runtime = new SingleThreadedAgentRuntime({ logger: new RecordingLogger() });
  return { runtime, catalog: new AgentCatalog({ runtime, ...options }) };
}

describe("AgentCatalog", () => {
  test("an agent is made once, and handed out at once from then on", async () => {
    const { catalog } = openCatalog();
    catalog.addFactory("a", () => new Plain());
    const [first, second] = await Promise.all([catalog.agentFor(id), catalog.agentFor(id)]);
    expect(first).toBe(second);
    expect(catalog.agentFor(id)).toBe(first);
    expect(catalog.peek(id)).toBe(first);
    expect([...catalog.liveAgents()].map(([liveId]) => liveId.toString())).toEqual(["a/k"]);
  });

  test("whoever waited for an agent gets it before those who find it live", async () => {
    const { catalog } = openCatalog();
    const gate = new Gate();
    catalog.addFactory("a", async () => {
      await gate.opened;
      return new Plain();
    });
    const order: string[] = [];
    const arrive = async (name: string) => {
      const found = catalog.agentFor(id);
      if (found instanceof Promise) await found;
      order.push(name);
    };
    const waiting = [arrive("1"), arrive("2")];
    gate.open();
    while (catalog.peek(id) === undefined) await undefined;
    await Promise.all([...waiting, arrive("3")]);
    expect(order).toEqual(["1", "2", "3"]);
  });

  test("a failed attempt is logged and recorded in the message log, and is not kept", async () => {
    const records: MessageLogRecord[] = [];
    const logger = new RecordingLogger();
    const { catalog } = openCatalog({
      logger,
      messageLog: { withPayloads: false, emit: (record) => records.push(record) },
    });
    let attempts = 0;
    catalog.addFactory("a", () => {
      attempts += 1;
      if (attempts === 1) throw new Error("no key");
      return new Plain();
    });
    await expect(catalog.agentFor(id)).rejects.toThrow("no key");
    expect(records).toEqual([{ type: "AgentConstructionException", agent_id: "a/k", exception: "no key" }]);
    expect(logger.texts("error")).toEqual(["Error constructing agent a/k: no key"]);
    expect(await catalog.agentFor(id)).toBeInstanceOf(Plain);
  });

  test("the promised class: a subclass will do, or must be exact on request", async () => {
    for (const [classCheck, code] of [
      ["subclass", undefined],
      ["exact", "wrong-class"],
    ] as const) {
      const { catalog } = openCatalog({ classCheck });
      catalog.addFactory("a", () => new Special(), { expectedClass: Plain });
      const made = Promise.resolve(catalog.agentFor(id));
      if (code === undefined) expect(await made).toBeInstanceOf(Special);
      else await expect(made).rejects.toMatchObject({ code });
    }
  });

  test("a factory that is none, or that returns nothing, is told by its type", async () => {
    const { catalog } = openCatalog();
    const instead = new Plain() as never;
    expect(() => catalog.addFactory("a", instead)).toThrow("The factory of agent type a must be a function");
    catalog.addFactory("a", () => undefined as never);
    await expect(catalog.agentFor(id)).rejects.toThrow("The factory of agent type a returned no agent.");
  });

  test("a factory can be taken back, so that the type is free again", async () => {
    const { catalog } = openCatalog();
    catalog.addFactory("a", () => new Plain());
    catalog.removeFactory("a");
    expect(() => catalog.agentFor(id)).toThrow("Agent with name a not found.");
    catalog.addFactory("a", () => new Special());
    expect(catalog.types()).toEqual(["a"]);
    expect(await catalog.agentFor(id)).toBeInstanceOf(Special);
  });

  test("an instance that can not be bound leaves nothing behind", async () => {
    const { catalog } = openCatalog();
    const bound = new Plain();
    await catalog.addInstance(bound, id);
    await expect(catalog.addInstance(bound, new AgentId("b", "k"))).rejects.toMatchObject({ code: "wrong-state" });
    expect(catalog.types()).toEqual(["a"]);
    catalog.removeInstance(id, new Plain());
    expect(catalog.hasType("a")).toBe(true);
    catalog.removeInstance(id, bound);
    expect(catalog.hasType("a")).toBe(false);
  });

  test("an instance gets no message before it is bound", async () => {
    const { catalog } = openCatalog();
    const gate = new Gate();
    const agent = new Plain();
    const bind = agent.bindIdAndRuntime.bind(agent);
    Object.assign(agent, {
      bindIdAndRuntime: async (...args: Parameters<Agent["bindIdAndRuntime"]>) => {
        await gate.opened;
        bind(...args);
      },
    });
    const added = catalog.addInstance(agent, id);
    const found = catalog.agentFor(id);
    expect(found).toBeInstanceOf(Promise);
    await expect(catalog.addInstance(new Plain(), id)).rejects.toMatchObject({ code: "already-exists" });
    gate.open();
    await added;
    expect((await found).id.toString()).toBe("a/k");
  });

  test("an instance that is bound when the catalog closes is closed, and its registration fails", async () => {
    const { catalog } = openCatalog();
    const gate = new Gate();
    const agent = Object.assign(new Plain(), { bindIdAndRuntime: () => gate.opened });
    const added = catalog.addInstance(agent, id);
    const end = expect(added).rejects.toMatchObject({ name: "UndeliverableException", code: "shutting-down" });
    const closed = catalog.close();
    gate.open();
    await closed;
    await end;
    expect(agent.closed).toBe(1);
    expect(catalog.hasType("a")).toBe(false);
  });

  test("an instance that fails to be bound after a close leaves the next one under its id alone", async () => {
    const { catalog } = openCatalog();
    const gate = new Gate();
    const fail = async () => {
      await gate.opened;
      throw new Error("no database");
    };
    const failing = catalog.addInstance(Object.assign(new Plain(), { bindIdAndRuntime: fail }), id);
    const end = expect(failing).rejects.toThrow("no database");
    const closed = catalog.close();
    const next = new Plain();
    await catalog.addInstance(next, id);
    gate.open();
    await end;
    await closed;
    expect(catalog.peek(id)).toBe(next);
  });

  test("closing closes each agent once, those in the making too, and tells what failed", async () => {
    const { catalog } = openCatalog();
    const agents: Plain[] = [];
    catalog.addFactory("a", async ({ id: made }) => {
      const agent = new Plain();
      agents.push(agent);
      if (made.key !== "good") {
        agent.close = () => {
          throw new Error(`stuck ${made.key}`);
        };
      }
      return agent;
    });
    for (const key of ["good", "bad", "worse"]) void catalog.agentFor(new AgentId("a", key));
    await expect(catalog.close()).rejects.toThrow("2 agents failed to close.");
    expect(agents.map((agent) => agent.closed)).toEqual([1, 0, 0]);
    await catalog.close();
    expect([...catalog.liveAgents()]).toEqual([]);
    expect(catalog.hasType("a")).toBe(true);
  });

  test("one agent that fails to close is told with its own error", async () => {
    const { catalog } = openCatalog();
    const agent = new Plain();
    agent.close = () => {
      throw new Error("stuck");
    };
    await catalog.addInstance(agent, id);
    await expect(catalog.close()).rejects.toThrow("stuck");
  });
});
