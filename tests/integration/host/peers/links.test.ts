import { describe, expect, it } from "vitest";
import { grpcPeerTransport } from "../../../../src/grpc/internal.ts";
import { HostServicer, type JoinOthersOptions, joinOthers } from "../../../../src/host/internal.ts";
import { encodePeerFrame, peerLinks } from "../../../../src/protocol/internal.ts";
import { createMemoryNetwork, grpcDialer, type StreamEnd } from "../../../../src/transport/index.ts";
import { FakeCluster } from "../../../support/fake-cluster.ts";
import { testCertificate, testKey } from "../../../support/test-certificate.ts";

const hello = {
  kind: "hello",
  cluster: "test",
  hostId: "h2",
  oldest: 1,
  newest: 1,
  features: new Set<never>(),
} as const;

/** A host that waits for links, and a way to dial it frame by frame. */
async function openHost(options: Partial<JoinOthersOptions> = {}) {
  const network = createMemoryNetwork();
  const transport = { dialer: network, listener: network, isMutual: false };
  const cluster = new FakeCluster().viewOf("h1");
  const servicer = new HostServicer();
  const joined = await joinOthers(servicer, { cluster, transport, address: "127.0.0.1:0", ...options });
  const dial = (frames: readonly Uint8Array[], metadata: Record<string, string> = {}): Promise<StreamEnd> =>
    new Promise((resolve) => {
      const nothing = (): void => undefined;
      const receiver = {
        onFrame: nothing,
        onHalfClose: nothing,
        onBadFrame: nothing,
        onDrain: nothing,
        onEnd: resolve,
      };
      const stream = network.dial(joined.address).openStream(peerLinks.path, receiver, { metadata });
      for (const frame of frames) stream.send(frame);
    });
  return { joined, dial, servicer, [Symbol.asyncDispose]: () => servicer.drain(0, Promise.resolve()) };
}

describe("a link of another host", () => {
  it.each([
    ["belongs to another cluster", { ...hello, cluster: "other" }, 'belongs to the cluster "other"'],
    ["speaks a later version alone", { ...hello, oldest: 7, newest: 9 }, "speaks the versions 7 to 9"],
    ["has the id of this host", { ...hello, hostId: "h1" }, "has the id of this host"],
  ])("is refused with a sentence if that host %s", async (_name, frame, text) => {
    await using host = await openHost();
    const end = await host.dial([encodePeerFrame(frame)]);
    expect(end).toMatchObject({ by: "status", status: { details: expect.stringContaining(text) } });
    expect(host.joined.linkedHosts().from).toEqual([]);
  });

  it("is refused without the secret of the cluster", async () => {
    await using host = await openHost({ secret: "right" });
    for (const metadata of [{}, { agcluster: "wrong" }]) {
      const end = await host.dial([encodePeerFrame(hello)], metadata);
      expect(end).toMatchObject({
        by: "status",
        status: { details: expect.stringContaining("secret of the cluster") },
      });
    }
  });

  it("is refused without a certificate where hosts have certificates", async () => {
    const tls = { ca: testCertificate, cert: testCertificate, key: testKey };
    await using host = await openHost({ transport: grpcPeerTransport({ tls }) });
    const link = grpcDialer({ tls: { ca: testCertificate } }).dial(host.joined.address);
    const end = await new Promise<StreamEnd>((resolve) => {
      const nothing = (): void => undefined;
      const receiver = {
        onFrame: nothing,
        onHalfClose: nothing,
        onBadFrame: nothing,
        onDrain: nothing,
        onEnd: resolve,
      };
      link.openStream(peerLinks.path, receiver, {}).send(encodePeerFrame(hello));
    });
    expect(end.by === "status" || end.by === "connection-lost").toBe(true);
    await link.close();
    expect(host.joined.counters().openedLinks).toBe(0);
    expect(() => grpcPeerTransport({ tls: { ...tls, ca: "" } })).toThrow("ca, cert and key");
  });

  it.each([
    ["does not say first who it is", encodePeerFrame({ kind: "barrier-read", number: 1 })],
    ["sends what can't be read", Uint8Array.of(0x0a, 0x09, 0x01)],
  ])("ends if that host %s", async (_name, frame) => {
    await using host = await openHost();
    expect(await host.dial([frame])).toMatchObject({ by: "status" });
  });
});

describe("a host does not join others", () => {
  it("on an address beyond loopback that anybody in the network could use", async () => {
    const address = "0.0.0.0:0";
    await expect(openHost({ address })).rejects.toThrow("peerSecret");
    await using withSecret = await openHost({ address, secret: "s" });
    expect(withSecret.joined.counters().openedLinks).toBe(0);
  });

  it("twice, or if several clients may own a type", async () => {
    await using host = await openHost();
    const network = createMemoryNetwork();
    const options = {
      cluster: new FakeCluster().viewOf("h1"),
      transport: { dialer: network, listener: network, isMutual: false },
      address: "127.0.0.1:0",
    };
    await expect(joinOthers(host.servicer, options)).rejects.toThrow("joined others already");
    const shared = new HostServicer({ allowMultipleOwners: true });
    await expect(joinOthers(shared, options)).rejects.toThrow("allowMultipleOwners");
  });
});
