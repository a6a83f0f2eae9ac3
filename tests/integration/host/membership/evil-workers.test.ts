import { connect, type Socket } from "node:net";
import { describe, expect, it } from "vitest";
import { grpcPeerTransport } from "../../../../src/grpc/internal.ts";
import type { CallContext } from "../../../../src/transport/index.ts";
import { clientOf, clusterWorker, startAcross } from "../../../support/across-rooms.ts";
import { type ClusterRig, clusterTransports } from "../../../support/cluster-rig.ts";
import { connection, status, statusOf } from "../../../support/cluster-worker.ts";
import { RawWorker, textOf } from "../../../support/raw-worker.ts";
import { testCertificate, testKey } from "../../../support/test-certificate.ts";

const [memory] = clusterTransports;
if (memory === undefined) throw new Error("There are memory links.");
const { start } = memory;

/** Answers each call with its request id, until the channel ends. */
async function echo(worker: RawWorker): Promise<void> {
  for (;;) {
    const frame = await worker.next();
    if (frame.kind === "request") worker.respond(frame.requestId, frame.requestId);
  }
}

async function ask(caller: RawWorker, number: number, target = "echo/k"): Promise<void> {
  caller.request(`${number}`, target);
  const answer = await caller.nextResponse();
  expect([answer.requestId, answer.error]).toEqual([`${number}`, ""]);
}

/** An honest worker with the type `echo` at the second host, and its caller at the first one. */
async function honest(rig: ClusterRig, metadata: Readonly<Record<string, string>> = {}) {
  const worker = await connection(rig.two, { workerId: "honest", session: 1, metadata }).join();
  await worker.register("echo", metadata);
  void echo(worker);
  const caller = await new RawWorker(rig.one.dial(), "caller", { metadata }).join();
  return { worker, caller };
}

describe("an evil worker of a cluster", () => {
  it("gets no lease by heartbeats that say it has one, and none beyond that of others", async () => {
    await using rig = await start();
    const { caller } = await honest(rig);
    const evil = await connection(rig.two, { workerId: "evil", session: 1 }).join();
    for (let seq = 1; seq <= 1_000; seq += 1)
      evil.send({ kind: "heartbeat", seq, isAnswer: seq % 2 === 0, leaseMs: 2 ** 31 - 1 });
    const leases: number[] = [];
    while (leases.length < 500) {
      const frame = await evil.next();
      if (frame.kind === "heartbeat" && frame.isAnswer) leases.push(frame.leaseMs);
    }
    expect(new Set(leases)).toEqual(new Set([3_000]));
    await ask(caller, 1);
  });

  it("takes neither the worker id nor the session of another principal's worker, at any host, however often it tries", async () => {
    const authorize = ({ metadata }: CallContext) => ({ name: metadata.authorization ?? "nobody" });
    await using rig = await start({ host: { authorize, ownOnly: false } });
    const { worker, caller } = await honest(rig, { authorization: "alice" });
    let isEnded = false;
    void worker.ended.then(() => {
      isEnded = true;
    });
    for (let attempt = 1; attempt <= 60; attempt += 1) {
      const evil = connection(attempt % 2 === 0 ? rig.one : rig.two, {
        ...{ workerId: "honest", session: 10 ** (attempt % 15), clientId: `evil-${attempt}` },
        metadata: { authorization: "mallory" },
      });
      expect(await statusOf(evil.open())).toMatchObject({ code: status.permissionDenied });
    }
    await ask(caller, 1);
    expect(isEnded).toBe(false);
  });

  it("that joins and leaves without end leaves nothing behind, and others are served", async () => {
    await using rig = await start();
    const { caller } = await honest(rig);
    const held = () => rig.one.host.counters().heldBytes;
    await ask(caller, 0);
    const before = { held: held(), sessions: rig.one.host.sessions().length };
    for (let round = 1; round <= 20; round += 1) {
      const evil = await Promise.all(
        Array.from({ length: 10 }, (_, at) =>
          connection(rig.one, { workerId: `evil-${round}-${at}`, session: 1 }).join(),
        ),
      );
      for (const [at, one] of evil.entries()) {
        if (at % 2 === 0) one.send({ kind: "leaving", graceMs: 0, addresses: undefined });
        one.stream.end();
      }
      await Promise.all(evil.map((one) => one.ended));
      await ask(caller, round);
    }
    expect(rig.one.host.sessions().length).toBe(before.sessions);
    expect(held()).toBeLessThan(before.held + 200 * 1_000);
    expect(rig.one.host.counters().cluster?.joins).toBeGreaterThanOrEqual(200);
  });

  it("that calls ever other agents at other hosts makes its host remember no more routes than maxRoutes", async () => {
    await using rig = await startAcross({ cluster: { maxRoutes: 500 } });
    void echo(await clusterWorker(rig.two, "W"));
    const evil = await clientOf(rig.one, "E");
    const victim = await clientOf(rig.one, "V");
    const [rounds, lot] = [6, 200];
    for (let round = 0; round < rounds; round += 1) {
      for (let at = 0; at < lot; at += 1) evil.request(`${round}-${at}`, `room/${round}-${at}`);
      for (let at = 0; at < lot; at += 1) expect((await evil.nextResponse()).error).toBe("");
      await ask(victim, round, "room/victim");
    }
    const { routes, gates } = rig.one.host.counters().cluster ?? {};
    expect(routes).toBeLessThanOrEqual(500);
    expect(gates).toBe(0);
    victim.request("last", "room/victim");
    expect(textOf(await victim.nextResponse())).not.toBe("");
  });
});

describe("connections to the peers' listener that begin no TLS, or never end their handshake", () => {
  it("keep no other host from its link, nor workers from calls", async () => {
    const tls = { ca: testCertificate, cert: testCertificate, key: testKey };
    const [, grpc] = clusterTransports;
    if (grpc === undefined) throw new Error("There is gRPC.");
    const transport = grpcPeerTransport({ tls });
    await using rig = await grpc.start({ cluster: { transport } });
    const hosts = await peerAddresses(rig);
    const sockets: Socket[] = [];
    try {
      for (const { host, port } of hosts) {
        for (let at = 0; at < 100; at += 1) {
          const socket = connect({ host, port });
          socket.on("error", () => undefined);
          await new Promise((resolve) => socket.once("connect", resolve));
          // The first bytes of a TLS record, or nothing.
          if (at % 2 === 0) socket.write(Uint8Array.of(0x16, 0x03, 0x01));
          sockets.push(socket);
        }
      }
      const three = await rig.add({ cluster: { transport } });
      const { caller } = await honest(rig);
      await ask(caller, 1);
      const late = await new RawWorker(three.dial(), "late").join();
      await ask(late, 1);
      expect(three.host.counters().cluster?.peerLinks).toBe(2);
    } finally {
      for (const socket of sockets) socket.destroy();
    }
  });
});

/** Where the hosts of a cluster listen for each other, as their records say. */
async function peerAddresses(rig: ClusterRig): Promise<readonly { readonly host: string; readonly port: number }[]> {
  const found: { readonly host: string; readonly port: number }[] = [];
  let end = (): void => undefined;
  await new Promise<void>((resolve) => {
    end = rig.store.watch("host.", {
      onEntry: ({ value }) => {
        const { peerAddress } = JSON.parse(new TextDecoder().decode(value)) as { readonly peerAddress: string };
        const [host = "", port = ""] = peerAddress.split(":");
        found.push({ host, port: Number(port) });
      },
      onReset: () => undefined,
      onCaughtUp: resolve,
    });
  });
  end();
  return found;
}
