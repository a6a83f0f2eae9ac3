import { afterAll, afterEach, describe, expect, test } from "vitest";
import type { HostOptions } from "../../../src/host/index.ts";
import { encodeRegisterAgentRequest } from "../../../src/protocol/index.ts";
import { grpcDialer, RpcError, StatusCode } from "../../../src/transport/index.ts";
import { exact, RawWorker } from "../../support/raw-worker.ts";
import { PoisonedHost } from "./poisoned-host.ts";

let poisoned: PoisonedHost | undefined;
const links: { close(): Promise<void> }[] = [];
let badInputs = 0;

async function start(options?: HostOptions): Promise<PoisonedHost> {
  poisoned = await PoisonedHost.start({}, options);
  return poisoned;
}

/** A client under this id; `secret` is what it knows. */
function client(host: PoisonedHost, clientId: string, secret = ""): RawWorker {
  const link = grpcDialer({ metadata: { authorization: secret } }).dial(host.host.address);
  links.push(link);
  return new RawWorker(link, clientId);
}

/** A worker with an agent type and a subscription. */
async function victim(host: PoisonedHost, secret?: string): Promise<RawWorker> {
  const worker = await client(host, "victim", secret).join();
  await worker.register("treasure");
  await worker.subscribe("news-of-treasure", exact("news", "treasure"));
  return worker;
}

// After every test: the bystanders have noticed nothing, and nothing of the others is left.
afterEach(async () => {
  for (const link of links.splice(0)) await link.close();
  badInputs += (await poisoned?.finish())?.badInputs ?? 0;
  poisoned = undefined;
});

afterAll(() => console.log(`fact: ${badInputs} uses of other clients' ids tried against a host`));

describe("a client that uses another's id", () => {
  test("for a channel takes its place: the other is told and counted, and its callers have their answer", async () => {
    const host = await start();
    const robbed = await victim(host);
    const caller = await client(host, "caller").join();
    caller.request("1", "treasure/k");
    await robbed.nextRequest();
    const impostor = await client(host, "victim").join();
    expect(await robbed.ended).toMatchObject({ by: "status", status: { code: StatusCode.aborted } });
    expect(await caller.nextResponse()).toMatchObject({ requestId: "1", error: expect.stringMatching(/./) });
    expect(host.counters.replacedChannels).toBe(1);
    // What was the other's reaches the impostor from now on.
    caller.request("2", "treasure/k");
    impostor.respond((await impostor.nextRequest()).requestId, "mine");
    expect(await caller.nextResponse()).toMatchObject({ requestId: "2", error: "" });
    host.tried(1);
  });

  test("to register does so in its name, and gets nothing by it", async () => {
    const host = await start();
    const named = await victim(host);
    const meddler = client(host, "victim");
    await meddler.register("unasked");
    const caller = await client(host, "caller").join();
    caller.request("1", "unasked/k");
    named.respond((await named.nextRequest()).requestId, "I was not asked");
    expect(await caller.nextResponse()).toMatchObject({ requestId: "1", error: "" });
    expect(host.counters).toMatchObject({ replacedChannels: 0, agentTypes: 3 });
    host.tried(1);
  });

  test("to take a type that it has already is refused under any other id", async () => {
    const host = await start();
    await victim(host);
    const meddler = await client(host, "meddler").join();
    await expect(meddler.register("treasure")).rejects.toThrow(/already registered/);
    host.tried(1);
  });

  test("of a subscription removes it, where a host does not have it `ownOnly`: the events are counted as unroutable", async () => {
    const host = await start();
    const robbed = await victim(host);
    const meddler = await client(host, "meddler").join();
    await meddler.unsubscribe("news-of-treasure");
    meddler.publish("news");
    await meddler.settled();
    expect(await robbed.settled()).toEqual([]);
    expect(host.counters).toMatchObject({ unroutableEvents: 1, subscriptions: 1 });
    host.tried(1);
  });

  test("is kept out by `authorize`, whatever it tries, and the other notices nothing", async () => {
    const secrets = new Map([["victim", "s3cret"]]);
    const host = await start({
      ownOnly: true,
      authorize: ({ metadata }) => {
        const secret = secrets.get(metadata["client-id"] ?? "");
        if (secret === undefined || metadata.authorization === secret) return undefined;
        return { code: StatusCode.permissionDenied, details: "That is not you." };
      },
    });
    const safe = await victim(host, "s3cret");
    const denied = { code: StatusCode.permissionDenied };
    const impostor = client(host, "victim", "a guess").open();
    expect(await impostor.ended).toMatchObject({ by: "status", status: denied });
    await expect(impostor.register("unasked")).rejects.toMatchObject(denied);
    await expect(impostor.unsubscribe("news-of-treasure")).rejects.toMatchObject(denied);
    const meddler = await client(host, "meddler").join();
    await expect(meddler.unsubscribe("news-of-treasure")).rejects.toMatchObject(denied);
    await expect(meddler.unary("RegisterAgent", encodeRegisterAgentRequest("treasure"))).rejects.toThrow(RpcError);
    meddler.publish("news");
    expect((await safe.nextEvent()).topicType).toBe("news");
    expect(host.counters).toMatchObject({ replacedChannels: 0, agentTypes: 2, subscriptions: 2 });
    host.tried(5);
  });
});
