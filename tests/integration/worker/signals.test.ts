import { describe, expect, test } from "vitest";
import { AgentId, TypeSubscription } from "../../../src/core/index.ts";
import { emptyMessage } from "../../../src/protocol/index.ts";
import { RpcError, StatusCode } from "../../../src/transport/index.ts";
import { Gate } from "../../support/gate.ts";
import { FunctionAgent } from "../../support/worker/function-agent.ts";
import { ScriptedHost } from "../../support/worker/scripted-host.ts";
import { startRig } from "../../support/worker/worker-rig.ts";

const cancelled = { name: "CancelledError", code: "cancelled", cause: "enough" };

/** A host that does not answer the first call of a method; `asked` opens when that call has come. */
async function silentHost(method: string) {
  const asked = new Gate();
  let isSilent = true;
  const host = await new ScriptedHost((call) => {
    if (call.method !== method || !isSilent) return emptyMessage;
    isSilent = false;
    asked.open();
    return new Promise(() => undefined);
  }).listen();
  return { host, asked };
}

describe("a signal ends the wait of a worker", () => {
  test("for the host's answer to a type, and then the type is free here", async () => {
    const { host, asked } = await silentHost("RegisterAgent");
    await using _host = host;
    const [worker] = await host.worker();
    const aborting = new AbortController();
    const { signal } = aborting;
    const end = expect(worker.registerFactory("a", () => new FunctionAgent(), { signal })).rejects.toMatchObject(
      cancelled,
    );
    await asked.opened;
    aborting.abort("enough");
    await end;
    await worker.registerFactory("a", () => new FunctionAgent());
    expect(host.methods).toEqual(["RegisterAgent", "RegisterAgent"]);
  });

  test("for the host's answer to a subscription that comes with a type, and then both are free here", async () => {
    const { host, asked } = await silentHost("AddSubscription");
    await using _host = host;
    const [worker] = await host.worker();
    const aborting = new AbortController();
    const options = { signal: aborting.signal, subscriptions: [new TypeSubscription("t", "a")] };
    const end = expect(worker.registerFactory("a", () => new FunctionAgent(), options)).rejects.toMatchObject(
      cancelled,
    );
    await asked.opened;
    aborting.abort("enough");
    await end;
    await worker.registerFactory("a", () => new FunctionAgent(), { subscriptions: [new TypeSubscription("t", "a")] });
    // The host cannot be told to forget a type, and has it already.
    expect(host.methods).toEqual(["RegisterAgent", "AddSubscription", "AddSubscription"]);
  });

  test("for the host's answer to the removal of a subscription, which stays", async () => {
    const { host, asked } = await silentHost("RemoveSubscription");
    await using _host = host;
    const [worker] = await host.worker();
    await worker.addSubscription(new TypeSubscription("t", "a", "s1"));
    const aborting = new AbortController();
    const end = expect(worker.removeSubscription("s1", { signal: aborting.signal })).rejects.toMatchObject(cancelled);
    await asked.opened;
    aborting.abort("enough");
    await end;
    await worker.removeSubscription("s1");
  });

  test("for an agent on another worker", async () => {
    await using rig = await startRig();
    const [here, there] = [await rig.worker(), await rig.worker()];
    const asked = new Gate();
    class Slow extends FunctionAgent {
      override saveState(): never {
        asked.open();
        return new Promise(() => undefined) as never;
      }
    }
    await there.registerFactory("slow", () => new Slow());
    const aborting = new AbortController();
    const state = here.agentSaveState(new AgentId("slow", "k"), { signal: aborting.signal });
    const end = expect(state).rejects.toMatchObject(cancelled);
    await asked.opened;
    aborting.abort("enough");
    await end;
  });

  test("for a host that is away", async () => {
    await using rig = await startRig();
    const worker = await rig.worker({ reconnect: { initialDelayMs: 60_000, jitter: 0 }, logger: rig.logger });
    await rig.host.stop({ graceMs: 0 });
    for await (const { at } of worker.status()) if (at === "waiting") break;
    const aborting = new AbortController();
    const { signal } = aborting;
    const end = expect(worker.registerFactory("a", () => new FunctionAgent(), { signal })).rejects.toMatchObject(
      cancelled,
    );
    aborting.abort("enough");
    await end;
  });
});

test("a type that a stock host has from a cancelled registration of this worker can be registered again", async () => {
  const asked = new Gate();
  let isKnown = false;
  const host = await new ScriptedHost(({ method, clientId }) => {
    if (method !== "RegisterAgent") return emptyMessage;
    if (isKnown) {
      throw new RpcError(StatusCode.invalidArgument, `Agent type a already registered with client ${clientId}.`);
    }
    isKnown = true;
    asked.open();
    return new Promise(() => undefined);
  }).listen();
  await using _host = host;
  const [worker] = await host.worker();
  const aborting = new AbortController();
  const first = worker.registerFactory("a", () => new FunctionAgent(), { signal: aborting.signal });
  const end = expect(first).rejects.toMatchObject(cancelled);
  await asked.opened;
  aborting.abort("enough");
  await end;
  await worker.registerFactory("a", () => new FunctionAgent());
});
