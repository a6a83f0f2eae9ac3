import { describe, expect, it } from "vitest";
import { grpcPeerTransport } from "../../../../src/grpc/internal.ts";
import { HostServicer, joinOthers } from "../../../../src/host/internal.ts";
import { encodePeerFrame } from "../../../../src/protocol/internal.ts";
import { createMemoryNetwork, grpcDialer } from "../../../../src/transport/index.ts";
import { FakeCluster } from "../../../support/fake-cluster.ts";
import { helloOfHost, openRawLink, openWaitingHost } from "../../../support/raw-link.ts";
import { testCertificate, testKey } from "../../../support/test-certificate.ts";

const hello = helloOfHost("h2");

describe("a link of another host", () => {
  it.each([
    ["belongs to another cluster", { ...hello, cluster: "other" }, 'belongs to the cluster "other"'],
    ["speaks a later version alone", { ...hello, oldest: 7, newest: 9 }, "speaks the versions 7 to 9"],
    ["has the id of this host", { ...hello, hostId: "h1" }, "has the id of this host"],
  ])("is refused with a sentence if that host %s", async (_name, frame, text) => {
    await using host = await openWaitingHost();
    const end = await host.dial([encodePeerFrame(frame)]).ended;
    expect(end).toMatchObject({ by: "status", status: { details: expect.stringContaining(text) } });
    expect(host.joined.linkedHosts().from).toEqual([]);
  });

  it("is refused without the secret of the cluster", async () => {
    await using host = await openWaitingHost({ secret: "right" });
    for (const metadata of [{}, { agcluster: "wrong" }]) {
      const end = await host.dial([encodePeerFrame(hello)], metadata).ended;
      expect(end).toMatchObject({
        by: "status",
        status: { details: expect.stringContaining("secret of the cluster") },
      });
    }
  });

  it("is refused without a certificate where hosts have certificates", async () => {
    const tls = { ca: testCertificate, cert: testCertificate, key: testKey };
    await using host = await openWaitingHost({ transport: grpcPeerTransport({ tls }) });
    const link = grpcDialer({ tls: { ca: testCertificate } }).dial(host.joined.address);
    const end = await openRawLink(link, [encodePeerFrame(hello)]).ended;
    expect(end.by === "status" || end.by === "connection-lost").toBe(true);
    await link.close();
    expect(host.joined.counters().openedLinks).toBe(0);
    expect(() => grpcPeerTransport({ tls: { ...tls, ca: "" } })).toThrow("ca, cert and key");
  });

  it.each([
    ["does not say first who it is", encodePeerFrame({ kind: "barrier-read", number: 1 })],
    ["sends what can't be read", Uint8Array.of(0x0a, 0x09, 0x01)],
  ])("ends if that host %s", async (_name, frame) => {
    await using host = await openWaitingHost();
    expect(await host.dial([frame]).ended).toMatchObject({ by: "status" });
  });
});

describe("a host does not join others", () => {
  it("on an address beyond loopback that anybody in the network could use", async () => {
    const address = "0.0.0.0:0";
    await expect(openWaitingHost({ address })).rejects.toThrow("peerSecret");
    await using withSecret = await openWaitingHost({ address, secret: "s" });
    expect(withSecret.joined.counters().openedLinks).toBe(0);
  });

  it("twice, or if several clients may own a type", async () => {
    await using host = await openWaitingHost();
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
