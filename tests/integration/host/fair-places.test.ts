import { describe, expect, test } from "vitest";
import { GrpcWorkerAgentRuntimeHost, type GrpcWorkerAgentRuntimeHostOptions } from "../../../src/grpc/index.ts";
import { metadataKey } from "../../../src/protocol/index.ts";
import { grpcDialer, type Link, StatusCode } from "../../../src/transport/index.ts";
import { AddressProxy } from "../../support/address-proxy.ts";
import { RawControl } from "../../support/raw-control.ts";
import { exact, RawWorker } from "../../support/raw-worker.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";

/** A host, and links to it from two addresses. */
class TwoAddresses implements AsyncDisposable {
  readonly host: GrpcWorkerAgentRuntimeHost;
  readonly #proxy: AddressProxy;
  readonly #links: Link[] = [];

  private constructor(host: GrpcWorkerAgentRuntimeHost, proxy: AddressProxy) {
    this.host = host;
    this.#proxy = proxy;
  }

  static async start(options: GrpcWorkerAgentRuntimeHostOptions): Promise<TwoAddresses> {
    const host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0", options);
    await host.start();
    return new TwoAddresses(host, await AddressProxy.to(host.address));
  }

  /** From 127.0.0.1, where the greedy clients are. */
  greedy(): Link {
    return this.#dial(this.host.address);
  }

  /** From 127.0.0.2. */
  modest(): Link {
    return this.#dial(this.#proxy.address);
  }

  async until(isSo: (counters: ReturnType<GrpcWorkerAgentRuntimeHost["counters"]>) => boolean): Promise<void> {
    while (!isSo(this.host.counters())) await new Promise((resolve) => setImmediate(resolve));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#links.map((link) => link.close()));
    await this.#proxy[Symbol.asyncDispose]();
    await this.host.stop({ graceMs: 0 });
  }

  #dial(address: string): Link {
    const link = grpcDialer().dial(address);
    this.#links.push(link);
    return link;
  }
}

const tooMuch = { by: "status", status: { code: StatusCode.resourceExhausted } };
const refusal = { status: tooMuch.status };

describe.runIf(process.platform === "linux")("a worker from another address", () => {
  test("gets its channels though one machine has opened all that the host takes: that one loses its newest", async () => {
    const logger = new RecordingLogger();
    await using rig = await TwoAddresses.start({ maxSessions: 4, logger });
    const links = [rig.greedy(), rig.greedy()];
    const crowd: RawWorker[] = [];
    const controls: RawControl[] = [];
    for (let nr = 0; nr < 4; nr += 1) {
      const link = links[nr % 2] ?? rig.greedy();
      crowd.push(await new RawWorker(link, `greedy ${nr}`).join());
      controls.push(await RawControl.open(link, `greedy ${nr}`));
    }
    // The bound is the same for the machine itself.
    expect(await new RawWorker(rig.greedy(), "greedy 4").open().ended).toMatchObject(tooMuch);
    const modest = await new RawWorker(rig.modest(), "modest").join();
    expect(await crowd[3]?.ended).toMatchObject(tooMuch);
    await RawControl.open(modest.link, "modest");
    expect(await controls[3]?.ended).toMatchObject(tooMuch);
    await modest.register("modest");
    crowd[2]?.request("1", "modest/k");
    modest.respond((await modest.nextRequest()).requestId, "served");
    expect((await crowd[2]?.nextResponse())?.error).toBe("");
    await rig.until(({ channels, controlChannels }) => channels === 4 && controlChannels === 4);
    expect(rig.host.counters()).toMatchObject({ gaveWay: 2, refusedByLimit: 1 });
    expect(logger.lines.filter(({ text }) => text.includes("gave way")).map(({ fields }) => fields)).toMatchObject([
      { bound: "maxSessions", max: 4, address: "127.0.0.1", held: 4 },
      { address: "127.0.0.1", held: 4 },
    ]);
    // It takes no place back from one that has half as much.
    expect(await new RawWorker(rig.greedy(), "greedy 3").open().ended).toMatchObject(tooMuch);
  });

  test("registers and calls though one machine has as many subscriptions and calls under way as the host takes of it", async () => {
    await using rig = await TwoAddresses.start({ maxSubscriptions: 6, maxPendingCalls: 6 });
    const greedy = await new RawWorker(rig.greedy(), "greedy").join();
    await greedy.register("greedy");
    for (const topic of ["1", "2", "3", "4"]) await greedy.subscribe(topic, exact(topic, "greedy"));
    await expect(greedy.subscribe("5", exact("5", "greedy"))).rejects.toMatchObject(refusal);
    const caller = await new RawWorker(rig.greedy(), "caller").join();
    for (const id of ["1", "2", "3", "4", "5"]) caller.request(id, "greedy/k");
    const refused = await caller.nextResponse();
    expect([refused.requestId, refused.metadata[metadataKey.errorCode]]).toEqual(["5", "overloaded"]);
    const modest = await new RawWorker(rig.modest(), "modest").join();
    await modest.register("modest");
    await modest.subscribe("mine", exact("news", "modest"));
    modest.request("mine", "modest/k");
    modest.respond((await modest.nextRequest()).requestId, "served");
    expect((await modest.nextResponse()).error).toBe("");
  });

  test("registers before its channel though one machine has registered as many clients: that one loses its newest", async () => {
    await using rig = await TwoAddresses.start({ maxSessions: 4, registrationOrphanMs: 600_000 });
    for (let nr = 0; nr < 4; nr += 1) await new RawWorker(rig.greedy(), `greedy ${nr}`).register(`greedy_${nr}`);
    await expect(new RawWorker(rig.greedy(), "greedy 4").register("greedy_4")).rejects.toMatchObject(refusal);
    await new RawWorker(rig.modest(), "modest").register("modest");
    // It takes no place back from one that has half as much.
    await rig.until(({ agentTypes }) => agentTypes === 4);
    await expect(new RawWorker(rig.greedy(), "greedy 5").register("greedy_5")).rejects.toMatchObject(refusal);
    await new RawWorker(rig.modest(), "modest").register("modest_2");
    await expect(new RawWorker(rig.greedy(), "greedy 3").register("greedy_3")).rejects.toMatchObject(refusal);
  });

  test("connects though one machine has all connections: that one loses its newest", async () => {
    await using rig = await TwoAddresses.start({ channelOptions: { maxConnections: 4 } });
    const crowd: RawWorker[] = [];
    for (let nr = 0; nr < 4; nr += 1) crowd.push(await new RawWorker(rig.greedy(), `greedy ${nr}`).join());
    await new RawWorker(rig.greedy(), "greedy 4").open().ended;
    expect(rig.host.counters().transport).toMatchObject({ gaveWay: 0, connections: 4 });
    await new RawWorker(rig.modest(), "modest").join();
    expect(await crowd[3]?.ended).toMatchObject({ by: "connection-lost" });
    await crowd[0]?.settled();
    expect(rig.host.counters().transport.gaveWay).toBe(1);
    expect(rig.host.counters().transport.refusedConnections).toBeGreaterThan(0);
  });
});
