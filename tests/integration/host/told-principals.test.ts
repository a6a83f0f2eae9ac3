import { describe, expect, it, test } from "vitest";
import { z } from "zod";
import {
  AgentId,
  defineMessage,
  defineState,
  handlerTable,
  persistentAgent,
  RoutedAgent,
} from "../../../src/core/index.ts";
import { encodeFrame } from "../../../src/protocol/internal.ts";
import { functionAuthenticator } from "../../../src/security/index.ts";
import { startTestHost } from "../../../src/testing/index.ts";
import { grpcDialer } from "../../../src/transport/index.ts";
import { WorkerRuntime } from "../../../src/worker/index.ts";
import { hostTransports } from "../../support/host-transports.ts";
import { linked, linkedTransports } from "../../support/linked-hosts.ts";
import { Opened } from "../../support/opened.ts";
import { RawStates } from "../../support/raw-states.ts";
import { RawWorker, textPayload } from "../../support/raw-worker.ts";

/** Callers are who their client id says. */
const authenticator = functionAuthenticator(({ metadata }) => ({ name: `p-${metadata["client-id"] ?? ""}` }));
const announced = { isAnnounced: true };
const asks = { agtellsprincipal: "1" };
const forged = { agprincipal: "root" };
const knowsMail = { isAnnounced: true, metadata: { agcaps: "heartbeat,states,mail" } };

describe.each(hostTransports)("a host that knows its callers, over $name", ({ start }) => {
  it("tells types that ask for it who calls, and no other", async () => {
    await using rig = await start({ authenticator });
    const target = await new RawWorker(rig.dial(), "T", announced).join();
    await target.register("vault", asks);
    await target.register("shop");
    const caller = await new RawWorker(rig.dial(), "C").join();
    caller.request("1", "vault/k", { metadata: { ...forged, tenant: "acme" } });
    expect((await target.nextRequest()).metadata).toEqual({ agprincipal: "p-C", tenant: "acme" });
    caller.request("2", "shop/k", { metadata: forged });
    expect((await target.nextRequest()).metadata).toEqual({});
    await target.register("vault");
    caller.request("3", "vault/k");
    expect((await target.nextRequest()).metadata).toEqual({});
  });

  it("tells who calls with each call that has a key", async () => {
    await using rig = await start({ authenticator });
    const target = await new RawWorker(rig.dial(), "T", announced).join();
    await target.register("vault");
    const caller = await new RawWorker(rig.dial(), "C", announced).join();
    caller.request("1", "vault/k", { metadata: { ...forged, agidempotency: "key" } });
    expect((await target.nextRequest()).metadata).toEqual({ agidempotency: "key", agprincipal: "p-C" });
  });

  it("tells AutoGen's workers nothing that they did not hear before", async () => {
    await using rig = await start({ authenticator });
    const target = await new RawWorker(rig.dial(), "T").join();
    await target.register("vault", asks);
    const caller = await new RawWorker(rig.dial(), "C", announced).join();
    caller.request("1", "vault/k", { metadata: { agidempotency: "key" } });
    expect((await target.nextRequest()).metadata).toEqual({ agidempotency: "key" });
  });

  it("keeps who tells a message, and who commits one", async () => {
    await using rig = await start({ authenticator });
    const target = await new RawWorker(rig.dial(), "T", knowsMail).join();
    await target.register("vault");
    const caller = await new RawWorker(rig.dial(), "C", knowsMail).join();
    await caller.register("teller");
    caller.request("1", "vault/k", { metadata: { ...forged, agdelivery: "durable", agidempotency: "one" } });
    const told = await target.nextRequest();
    expect(told.metadata).toMatchObject({ agidempotency: "one", agprincipal: "p-C" });
    target.respond(told.requestId, "done");
    const states = new RawStates(rig.dial(), "C");
    const call = { requestId: "2", source: undefined, target: { type: "vault", key: "k" }, payload: textPayload("x") };
    const message = encodeFrame({ kind: "request", ...call, metadata: forged });
    states.commit("teller/a", { mail: [{ id: "two", message }] });
    expect(await states.next()).toMatchObject({ outcome: { at: "committed" } });
    const committed = await target.nextRequest();
    expect(committed.metadata).toMatchObject({ agidempotency: "two", agprincipal: "p-C" });
    states.stream.cancel();
  });
});

describe.each(hostTransports)("a host that knows no callers, over $name", ({ start }) => {
  it("passes on no principal that a worker has written", async () => {
    await using rig = await start();
    const target = await new RawWorker(rig.dial(), "T", knowsMail).join();
    await target.register("vault", asks);
    const caller = await new RawWorker(rig.dial(), "C", knowsMail).join();
    await caller.register("teller");
    caller.request("1", "vault/k", { metadata: { ...forged, agidempotency: "key" } });
    expect((await target.nextRequest()).metadata).toEqual({ agidempotency: "key" });
    caller.request("2", "vault/a", { metadata: { ...forged, agdelivery: "durable", agidempotency: "one" } });
    expect((await target.nextRequest()).metadata).not.toHaveProperty("agprincipal");
    const states = new RawStates(rig.dial(), "C");
    const call = { requestId: "2", source: undefined, target: { type: "vault", key: "b" }, payload: textPayload("x") };
    const message = encodeFrame({ kind: "request", ...call, metadata: forged });
    states.commit("teller/a", { mail: [{ id: "two", message }] });
    expect(await states.next()).toMatchObject({ outcome: { at: "committed" } });
    expect((await target.nextRequest()).metadata).not.toHaveProperty("agprincipal");
    states.stream.cancel();
  });
});

describe.each(linkedTransports)("two hosts that know their callers, over $name", ({ start }) => {
  it("tell a worker of the other host who calls, as the caller's own host has found out", async () => {
    await using rig = await start({ host: { authenticator } });
    const target = await new RawWorker(rig.two.dial(), "T", announced).join();
    await target.register("vault", asks);
    await target.register("shop");
    await linked(rig.hosts);
    const caller = await new RawWorker(rig.one.dial(), "C", announced).join();
    caller.request("1", "vault/k", { metadata: forged });
    expect((await target.nextRequest()).metadata).toEqual({ agprincipal: "p-C" });
    caller.request("2", "shop/k", { metadata: forged });
    expect((await target.nextRequest()).metadata).toEqual({});
  });
});

const Told = defineMessage("Told", z.object({ name: z.string() }));
const Who = defineMessage("Who", z.object({}), { answer: Told });

class Porter extends RoutedAgent {
  static override readonly tellsPrincipal = true;
  static override readonly handlers = handlerTable<Porter>().rpc(Who, (_message, { principal = "-" }) =>
    Told({ name: principal }),
  );
}

class Counter extends persistentAgent(defineState(z.object({ total: z.number() }), { initial: { total: 0 } })) {
  static override readonly handlers = handlerTable<Counter>().rpc(Who, function () {
    this.state.total += 1;
    return Told({ name: String(this.state.total) });
  });
}

test("a handler reads who calls, and two principals may use one key for two calls", async () => {
  const byAgent = functionAuthenticator(({ metadata }) => ({ name: metadata["x-name"] ?? "-" }));
  await using opened = new Opened();
  const host = opened.use(await startTestHost({ authenticator: byAgent, link: "grpc" }));
  const join = async (name: string) => {
    const worker = opened.use(new WorkerRuntime({ ...host, dialer: grpcDialer({ metadata: { "x-name": name } }) }));
    await worker.start();
    return worker;
  };
  const [server, alice, bob] = [await join("server"), await join("alice"), await join("bob")];
  await Porter.register(server, "porter", () => new Porter("opens"));
  await Counter.register(server, "counter", () => new Counter("counts"));
  for (const worker of [alice, bob]) worker.addMessageSerializer([Who]);
  expect(await alice.sendMessage(Who({}), new AgentId("porter", "k"))).toEqual({ name: "alice" });
  expect(await bob.sendMessage(Who({}), new AgentId("porter", "k"))).toEqual({ name: "bob" });
  const counter = new AgentId("counter", "k");
  const keyed = { idempotencyKey: "once" };
  expect(await alice.sendMessage(Who({}), counter, keyed)).toEqual({ name: "1" });
  expect(await bob.sendMessage(Who({}), counter, keyed)).toEqual({ name: "2" });
  expect(await alice.sendMessage(Who({}), counter, keyed)).toEqual({ name: "1" });
});
