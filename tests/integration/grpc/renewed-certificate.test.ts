import { X509Certificate } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "node:tls";
import { expect, test } from "vitest";
import { followTlsFiles } from "../../../src/cli/commands/tls-files.ts";
import { GrpcWorkerAgentRuntime, GrpcWorkerAgentRuntimeHost } from "../../../src/grpc/index.ts";
import { startFaultProxy } from "../../../src/testing/index.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";
import { renewedCertificate, renewedKey, testCertificate, testKey } from "../../support/test-certificate.ts";

/** The certificate that a server shows to a new client. */
function shownBy(address: string): Promise<string> {
  const port = Number(address.slice(address.lastIndexOf(":") + 1));
  return new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port, rejectUnauthorized: false, ALPNProtocols: ["h2"] }, () => {
      resolve(socket.getPeerX509Certificate()?.toString().trim() ?? "");
      socket.destroy();
    });
    socket.once("error", reject);
  });
}

test("a host serves a renewed certificate without a restart, and a worker trusts the renewed authority when it reconnects", async () => {
  await using host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0", {
    channelOptions: { tls: { cert: testCertificate, key: testKey } },
  });
  await host.start();
  await using network = await startFaultProxy({ target: host.address });
  let ca = testCertificate;
  const worker = new GrpcWorkerAgentRuntime(network.address, {
    ...{ logger: new RecordingLogger(), reconnect: { initialDelayMs: 1, maxDelayMs: 1 } },
    channelOptions: { tls: () => ({ ca }) },
  });
  await worker.start();

  host.reloadTls({ cert: renewedCertificate, key: renewedKey });
  expect(await shownBy(host.address)).toBe(renewedCertificate.trim());
  expect(host.sessions(), "the open connection stays").toHaveLength(1);

  ca = renewedCertificate;
  network.apply({ kind: "reset" });
  for await (const { at } of worker.status()) if (at === "waiting") break;
  for await (const { at } of worker.status()) if (at === "connected") break;
  await worker.stop();
});

test("a renewed certificate may come before the start, and one that does not fit changes nothing", async () => {
  await using host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0", {
    channelOptions: { tls: { cert: testCertificate, key: testKey } },
  });
  host.reloadTls({ cert: renewedCertificate, key: renewedKey });
  await host.start();
  expect(await shownBy(host.address)).toBe(renewedCertificate.trim());
  for (const bad of [{ cert: testCertificate }, { key: "no PEM" }]) {
    expect(() => host.reloadTls(bad)).toThrow(expect.objectContaining({ code: "invalid-argument" }));
  }
  expect(await shownBy(host.address)).toBe(renewedCertificate.trim());
});

test("a host without TLS says that it cannot renew a certificate", () => {
  const host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0");
  expect(() => host.reloadTls({ cert: testCertificate, key: testKey })).toThrow(
    expect.objectContaining({ code: "wrong-state" }),
  );
});

test("the command line reads renewed files, and keeps the old certificate while they do not fit together", async () => {
  const folder = mkdtempSync(join(tmpdir(), "troupe-"));
  const [tlsCert, tlsKey] = [join(folder, "cert.pem"), join(folder, "key.pem")];
  writeFileSync(tlsCert, testCertificate);
  writeFileSync(tlsKey, testKey);
  let tell = (_event: unknown) => {};
  const next = () =>
    new Promise((resolve) => {
      tell = resolve;
    });
  const stop = followTlsFiles(
    { tlsCert, tlsKey },
    {
      ...{ onChanged: ({ cert }) => tell(cert.toString()), onBad: (error) => tell(error), everyMs: 5 },
      onEnding: () => undefined,
    },
  );
  try {
    const bad = next();
    writeFileSync(tlsCert, renewedCertificate);
    expect(await bad).toMatchObject({ message: expect.stringContaining("is not the one of the certificate") });
    const good = next();
    writeFileSync(tlsKey, renewedKey);
    expect(await good).toBe(renewedCertificate);
  } finally {
    stop();
    rmSync(folder, { recursive: true });
  }
});

test("the command line tells at its start, and once for each day, of a certificate that ends within 14 days or has ended", async () => {
  const folder = mkdtempSync(join(tmpdir(), "troupe-"));
  const [tlsCert, tlsKey] = [join(folder, "cert.pem"), join(folder, "key.pem")];
  writeFileSync(tlsCert, testCertificate);
  writeFileSync(tlsKey, testKey);
  const hourMs = 3_600_000;
  const endMs = Date.parse(new X509Certificate(testCertificate).validTo);
  let nowMs = endMs - 20 * 24 * hourMs;
  let looks = 0;
  let tell = (_end: unknown) => {};
  const told: number[] = [];
  const stop = followTlsFiles(
    { tlsCert, tlsKey },
    {
      ...{ onChanged: () => undefined, onBad: () => undefined, everyMs: 1 },
      nowMs: () => {
        looks += 1;
        return nowMs;
      },
      onEnding: ({ days }) => {
        told.push(days);
        tell(days);
      },
    },
  );
  const next = () =>
    new Promise((resolve) => {
      tell = resolve;
    });
  try {
    expect([looks, told], "20 days are enough").toEqual([1, []]);
    for (const [hours, days] of [
      [10 * 24 + 1, 10],
      [10 * 24 - 1, 9],
      [-1, -1],
    ] as const) {
      const telling = next();
      nowMs = endMs - hours * hourMs;
      expect(await telling).toBe(days);
    }
    const before = looks;
    await expect.poll(() => looks, { interval: 1 }).toBeGreaterThan(before + 2);
    expect(told, "the same day is not told again").toEqual([10, 9, -1]);
  } finally {
    stop();
    rmSync(folder, { recursive: true });
  }
});
