import { createServer, type Server } from "node:net";
import { describe, expect, test } from "vitest";
import {
  GrpcWorkerAgentRuntime,
  GrpcWorkerAgentRuntimeHost,
  type GrpcWorkerAgentRuntimeOptions,
} from "../../../src/grpc/index.ts";
import type { GrpcListenerOptions } from "../../../src/transport/index.ts";
import { testCertificate, testKey } from "../../support/test-certificate.ts";

const tls = { cert: testCertificate, key: testKey };

describe("a worker that can't connect says why and what to do", () => {
  test("nobody listens", async () => {
    const server = await listening(createServer());
    const address = addressOf(server);
    await new Promise((resolve) => server.close(resolve));
    expect(await startError(address)).toBe(
      `Can't reach the host at ${address}: Nothing listens on ${address} (connection refused). ` +
        "Start the host there, or check the address.",
    );
  });

  test("plaintext meets a TLS port", async () => {
    await using host = await startHost({ tls });
    expect(await startError(host.address)).toContain("both sides agree on TLS");
  });

  test("TLS meets a plaintext port", async () => {
    await using host = await startHost({});
    const text = await startError(host.address, { channelOptions: { tls: {} } });
    expect(text).toContain(
      `The TLS handshake with ${host.address} failed: wrong version number. Check whether it uses TLS`,
    );
  });

  test("the host's certificate is not trusted", async () => {
    await using host = await startHost({ tls });
    const text = await startError(host.address, { channelOptions: { tls: {} } });
    expect(text).toContain(`The TLS certificate of ${host.address} is not trusted (self-signed certificate`);
    expect(text).toContain("tls.ca");
  });

  test("the host's certificate is for another name, and the text has the names that it is for", async () => {
    await using host = await startHost({ tls });
    const options = { ca: testCertificate, servername: "elsewhere.example" };
    const text = await startError(host.address, { channelOptions: { tls: options } });
    expect(text).toMatch(/is for another name, and has DNS:localhost, IP Address:127\.0\.0\.1.*\. Connect by a name/);
  });

  test("whoever listens is silent", async () => {
    const server = await listening(createServer((socket) => socket.on("error", () => undefined)));
    const text = await startError(addressOf(server), { startTimeoutMs: 50 });
    expect(text).toContain("No answer within 50 ms (the option startTimeoutMs).");
    server.close();
  });
});

async function startHost(channelOptions: GrpcListenerOptions): Promise<GrpcWorkerAgentRuntimeHost> {
  const host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0", { channelOptions });
  await host.start();
  return host;
}

/** The text that `start` rejects with. */
async function startError(address: string, options: GrpcWorkerAgentRuntimeOptions = {}): Promise<string> {
  await using worker = new GrpcWorkerAgentRuntime(address, options);
  const error = await worker.start().then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof Error)) throw new Error("the worker has started");
  return error.message;
}

function listening(server: Server): Promise<Server> {
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => resolve(server));
  });
}

function addressOf(server: Server): string {
  const address = server.address();
  return typeof address === "object" && address !== null ? `127.0.0.1:${address.port}` : "";
}
