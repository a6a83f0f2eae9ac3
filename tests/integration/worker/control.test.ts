import { describe, expect, test } from "vitest";
import { AgentId } from "../../../src/core/index.ts";
import { type ControlEnvelope, controlReply, encodeControl } from "../../../src/protocol/internal.ts";
import { createMemoryNetwork } from "../../../src/transport/index.ts";
import { Gate } from "../../support/gate.ts";
import { FunctionAgent } from "../../support/worker/function-agent.ts";
import { ScriptedHost } from "../../support/worker/scripted-host.ts";
import { settled } from "../../support/worker/stage.ts";
import { startRig } from "../../support/worker/worker-rig.ts";

const agentId = new AgentId("a", "k");

function saveRequest(fields: Partial<ControlEnvelope> = {}): ControlEnvelope {
  const body = { kind: "save-request", agentId: { type: "a", key: "k" } } as const;
  return { rpcId: "7", destination: "agentid=a/k", respondTo: "clientid=R", body, ...fields };
}

describe("a worker on the control channel", () => {
  test("answers SaveState with the agent's state, same id, respond_to present and empty [§8.106]", async () => {
    await using host = await new ScriptedHost().listen();
    const [worker, data] = await host.worker();
    const control = await host.controls.take();
    expect(control.clientId).toBe(data.clientId);
    const agent = new FunctionAgent();
    agent.state = { n: 1 };
    await worker.registerAgentInstance(agent, agentId);
    control.send(saveRequest());
    expect(await control.received.take()).toEqual({
      rpcId: "7",
      destination: "clientid=R",
      respondTo: "",
      body: { kind: "save-response", state: '{"n":1}', error: undefined },
    });
  });

  test("answers with a failure where the state is longer than may be sent, and lives", async () => {
    const network = createMemoryNetwork({ maxSendMessageBytes: 10_000 });
    await using host = await new ScriptedHost(undefined, network).listen();
    const [worker] = await host.worker();
    const control = await host.controls.take();
    const agent = new FunctionAgent();
    agent.state = { text: "x".repeat(20_000) };
    await worker.registerAgentInstance(agent, agentId);
    control.send(saveRequest());
    expect((await control.received.take()).body).toMatchObject({
      kind: "save-response",
      error: expect.stringContaining("10000"),
    });
    agent.state = { text: "x" };
    control.send(saveRequest({ rpcId: "8" }));
    expect(await control.received.take()).toMatchObject({ rpcId: "8", body: { error: undefined } });
  });

  test("answers LoadState after the agent has loaded it [§8.107]", async () => {
    await using host = await new ScriptedHost().listen();
    const [worker] = await host.worker();
    const control = await host.controls.take();
    const agent = new FunctionAgent();
    await worker.registerAgentInstance(agent, agentId);
    const body = { kind: "load-request", agentId: { type: "a", key: "k" }, state: '{"n": 2}' } as const;
    control.send(saveRequest({ body }));
    expect((await control.received.take()).body).toEqual({ kind: "load-response", error: undefined });
    expect(agent.state).toEqual({ n: 2 });
  });

  test("answers no more requests at once than it can, and takes none from a host that does not take its answers", async () => {
    const network = createMemoryNetwork({ windowBytes: 1_000, highWaterBytes: 1_000 });
    await using host = await new ScriptedHost(undefined, network).listen();
    const [worker] = await host.worker({ maxOutboxBytes: 3_000 });
    const control = await host.controls.take();
    const gate = new Gate();
    let saves = 0;
    const saveState = async () => {
      saves += 1;
      await gate.opened;
      return { text: "x".repeat(1_000) };
    };
    const agent = Object.assign(new FunctionAgent(), { saveState });
    await worker.registerAgentInstance(agent, agentId);
    for (let count = 0; count < 101; count += 1) control.send(saveRequest({ rpcId: `${count}` }));
    expect((await control.received.take()).body).toMatchObject({ error: expect.stringContaining("too much to do") });
    expect(saves).toBe(100);
    control.stream.pause();
    gate.open();
    await settled();
    for (let count = 0; count < 100; count += 1) control.send(saveRequest({ rpcId: `later ${count}` }));
    await settled();
    expect(saves).toBeLessThan(120);
    const remote = worker.agentSaveState(new AgentId("elsewhere", "k"));
    await expect(remote).rejects.toMatchObject({ code: "overloaded" });
    control.stream.resume();
    for (const { body } of await control.received.takeMany(200)) expect(body?.kind).toBe("save-response");
  });

  test("answers with an error for agents it does not serve, states it can't read and agents that fail", async () => {
    await using host = await new ScriptedHost().listen();
    const [worker] = await host.worker();
    const control = await host.controls.take();
    const agent = new FunctionAgent();
    agent.saveState = () => {
      throw new Error("disk is full");
    };
    await worker.registerAgentInstance(agent, agentId);
    control.send(saveRequest());
    control.send(saveRequest({ body: { kind: "save-request", agentId: { type: "nobody", key: "k" } } }));
    control.send(saveRequest({ body: { kind: "save-request", agentId: undefined } }));
    control.send(saveRequest({ body: { kind: "load-request", agentId: { type: "a", key: "k" }, state: "[1]" } }));
    const bodies = (await control.received.takeMany(4)).map(({ body }) => body);
    expect(bodies.map((body) => body?.kind).sort()).toEqual([
      "load-response",
      "save-response",
      "save-response",
      "save-response",
    ]);
    const errors = bodies.map((body) => (body !== undefined && "error" in body ? body.error : undefined));
    expect(errors.every((error) => typeof error === "string" && error !== "")).toBe(true);
    expect(errors).toContain("disk is full");
  });

  test("passes over what it can't read, and lives on", async () => {
    await using host = await new ScriptedHost().listen();
    const [worker] = await host.worker();
    const control = await host.controls.take();
    await worker.registerAgentInstance(new FunctionAgent(), agentId);
    control.sendBytes(new Uint8Array([0xff]));
    control.send(saveRequest({ body: undefined }));
    control.sendBytes(new Uint8Array([0x22, 0x04, 0x0a, 0x02, 0x2f, 0x78]));
    control.send(saveRequest());
    expect((await control.received.take()).body?.kind).toBe("save-response");
    expect(host.logger.texts("warn")).toHaveLength(3);
  });

  test("fails its own request when the host sends it back instead of routing it [§8.110]", async () => {
    await using host = await new ScriptedHost().listen();
    const [worker] = await host.worker();
    const control = await host.controls.take();
    const saved = worker.agentSaveState(agentId);
    const outcome = expect(saved).rejects.toThrow("not routed by the host");
    control.sendBytes(encodeControl(await control.received.take()));
    await outcome;
  });

  test("takes an answer by its id even if respond_to is missing", async () => {
    await using host = await new ScriptedHost().listen();
    const [worker] = await host.worker();
    const control = await host.controls.take();
    const saved = worker.agentSaveState(agentId);
    const request = await control.received.take();
    const body = { kind: "save-response", state: '{"n":1}', error: undefined } as const;
    control.send({ ...controlReply(request, body), respondTo: undefined });
    expect(await saved).toEqual({ n: 1 });
  });

  test("gives up a request nobody answers, as Python's workers don't", async () => {
    await using host = await new ScriptedHost().listen();
    const [worker] = await host.worker({ controlTimeoutMs: 5 });
    await expect(worker.agentSaveState(agentId)).rejects.toMatchObject({
      code: "timed-out",
      message: `${agentId}, on another worker, was asked to save its state, and did not answer within 5 ms (the worker's option controlTimeoutMs).`,
    });
  });

  test("tells that a host has no control channel, and works without", async () => {
    await using host = await new ScriptedHost().listen();
    host.hasControl = false;
    const [worker] = await host.worker();
    await expect(worker.agentSaveState(agentId)).rejects.toMatchObject({ code: "not-accessible" });
    expect(worker.isRunning).toBe(true);
  });

  test("opens it only when needed, on request", async () => {
    await using host = await new ScriptedHost().listen();
    const [worker] = await host.worker({ controlChannel: "when-needed", controlTimeoutMs: 5 });
    expect(host.controls.rest).toEqual([]);
    await expect(worker.agentSaveState(agentId)).rejects.toMatchObject({ code: "timed-out" });
    expect(host.controls.rest).toHaveLength(1);
  });

  test("leaves nobody waiting when the host is lost", async () => {
    await using host = await new ScriptedHost().listen();
    const [worker] = await host.worker();
    const control = await host.controls.take();
    const outcome = expect(worker.agentSaveState(agentId)).rejects.toMatchObject({ code: "disconnected" });
    await control.received.take();
    host.network.cut();
    await outcome;
  });

  test("reaches an agent on another worker through our host, and learns at once that there is none [§8.108]", async () => {
    await using rig = await startRig();
    const [one, other] = [await rig.worker(), await rig.worker()];
    const agent = new FunctionAgent();
    await one.registerAgentInstance(agent, agentId);
    await other.agentLoadState(agentId, { count: 3 });
    expect(await other.agentSaveState(agentId)).toEqual({ count: 3 });
    expect(await other.agentMetadata(agentId)).toEqual({ type: "a", key: "k", description: "a function" });
    const nobody = new AgentId("nobody", "k");
    await expect(other.agentSaveState(nobody)).rejects.toMatchObject({
      code: "not-accessible",
      message:
        "Agent nobody/k can't be reached: no worker with a control channel serves the agent type nobody. Start a worker that registers the type, or correct the id.",
    });
    await expect(other.tryGetUnderlyingAgentInstance(nobody)).rejects.toMatchObject({ code: "not-found" });
    await expect(other.tryGetUnderlyingAgentInstance(agentId)).rejects.toMatchObject({ code: "not-accessible" });
  });

  test("ends an agent's activation on another worker through our host, and says why it can't", async () => {
    await using rig = await startRig();
    const [one, other] = [await rig.worker(), await rig.worker()];
    const reasons: string[] = [];
    class Leaving extends FunctionAgent {
      onDeactivate(reason: string): void {
        reasons.push(reason);
      }
    }
    await one.registerFactory("b", () => new Leaving());
    const id = new AgentId("b", "k");
    await one.get(id, undefined, { lazy: false });
    await other.deactivateAgent(id);
    await one.get(id, undefined, { lazy: false });
    await other.destroyAgent(id);
    expect(reasons).toEqual(["asked", "destroyed"]);
    expect(one.counters()).toMatchObject({ activations: 2, deactivations: { asked: 1, destroyed: 1 } });
    await one.registerAgentInstance(new FunctionAgent(), agentId);
    await expect(other.deactivateAgent(agentId)).rejects.toMatchObject({
      code: "not-accessible",
      message: expect.stringContaining("a/k was registered as an instance"),
    });
    await expect(other.destroyAgent(new AgentId("nobody", "k"))).rejects.toMatchObject({
      code: "not-accessible",
      message: expect.stringContaining("no worker with a control channel serves the agent type nobody"),
    });
  });

  test("asks no stock host to end an agent's activation", async () => {
    await using host = await new ScriptedHost().listen();
    const [worker] = await host.worker();
    const control = await host.controls.take();
    await expect(worker.deactivateAgent(agentId)).rejects.toMatchObject({
      code: "not-accessible",
      message: expect.stringContaining("only a Troupe host can ask another worker to deactivate it"),
    });
    expect(control.received.rest).toEqual([]);
  });

  test("says whose state is no JSON, at the agent's worker and at the one that asks", async () => {
    await using rig = await startRig();
    const [one, other] = [await rig.worker(), await rig.worker()];
    const agent = new FunctionAgent();
    await one.registerAgentInstance(agent, agentId);
    agent.state = { count: 3n };
    await expect(other.agentSaveState(agentId)).rejects.toThrow("The state of a/k can't be written as JSON");
    agent.state = undefined as never;
    await expect(other.agentSaveState(agentId)).rejects.toThrow("The state of a/k is not a JSON object.");
    await expect(other.agentLoadState(agentId, { count: 3n })).rejects.toMatchObject({
      code: "invalid-message",
      message: expect.stringContaining("The state of a/k can't be written as JSON"),
    });
  });

  test("saves all its agents, and loads them into a worker that knows some of the types [§8.112]", async () => {
    await using host = await new ScriptedHost().listen();
    const worker = host.newWorker();
    await worker.registerFactory("a", () => new FunctionAgent());
    await worker.agentLoadState(agentId, { n: 1 });
    const state = await worker.saveState();
    expect(state).toEqual({ "a/k": { n: 1 } });
    const fresh = host.newWorker();
    await fresh.registerFactory("a", () => new FunctionAgent());
    await fresh.loadState({ ...state, "unknown/x": {} });
    expect(await fresh.saveState()).toEqual({ "a/k": { n: 1 } });
  });
});
