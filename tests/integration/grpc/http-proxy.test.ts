import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import { connect, type Socket } from "node:net";
import { describe, expect, test } from "vitest";
import { GrpcWorkerAgentRuntime, GrpcWorkerAgentRuntimeHost } from "../../../src/grpc/index.ts";
import { environmentProxy, type GrpcDialerOptions, grpcDialer } from "../../../src/transport/index.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";
import { testCertificate, testKey } from "../../support/test-certificate.ts";

/** A proxy that opens tunnels, or answers with `status`, or nothing if that is 0. */
async function startProxy(status = 200) {
  const asked: IncomingMessage[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((_request, response) => response.writeHead(405).end());
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
  });
  server.on("connect", (request, client: Socket) => {
    asked.push(request);
    if (status === 0) return;
    if (status !== 200) {
      client.end(`HTTP/1.1 ${status} No\r\n\r\n`);
      return;
    }
    const [host, port] = (request.url ?? "").split(":");
    const target = connect({ host: host ?? "", port: Number(port) }, () => {
      client.write("HTTP/1.1 200 OK\r\n\r\n");
      client.pipe(target).pipe(client);
    });
    sockets.add(target);
    target.on("error", () => client.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const bound = server.address();
  if (bound === null || typeof bound === "string") throw new Error("no port");
  return {
    asked,
    address: `127.0.0.1:${bound.port}`,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function startWorker(address: string, channelOptions: GrpcDialerOptions) {
  const worker = new GrpcWorkerAgentRuntime(address, { channelOptions, logger: new RecordingLogger() });
  await worker.start();
  return worker;
}

describe("a worker behind an HTTP proxy", () => {
  test.each(["plaintext", "TLS"])("reaches its host through a tunnel, in %s", async (kind) => {
    await using proxy = await startProxy();
    const tls = kind === "TLS" ? { cert: testCertificate, key: testKey } : undefined;
    await using host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0", { channelOptions: { tls } });
    await host.start();
    const worker = await startWorker(host.address, {
      proxy: `http://user:p%40ss@${proxy.address}`,
      tls: tls && { ca: testCertificate },
    });
    expect(proxy.asked.map(({ url, headers }) => [url, headers.host, headers["proxy-authorization"]])).toEqual([
      [host.address, host.address, `Basic ${Buffer.from("user:p@ss").toString("base64")}`],
    ]);
    expect(host.sessions()).toHaveLength(1);
    await worker.stop();
  });

  test("is told that the proxy refuses, without the password", async () => {
    await using proxy = await startProxy(403);
    const starting = startWorker("10.1.2.3:50051", { proxy: `http://user:secret@${proxy.address}` });
    await expect(starting).rejects.toThrow(`The proxy ${proxy.address} refused a tunnel to 10.1.2.3:50051: 403 No`);
    await expect(starting).rejects.not.toThrow("secret");
  });

  test("does not wait for ever for a proxy that is silent", async () => {
    await using proxy = await startProxy(0);
    const link = grpcDialer({ proxy: `http://${proxy.address}`, connectTimeoutMs: 100 }).dial("10.1.2.3:50051");
    await expect(link.ready()).rejects.toThrow(`the proxy ${proxy.address} gave no answer within 100 ms`);
  });

  test("is told that nothing listens where the proxy should be", async () => {
    const proxy = await startProxy();
    await proxy[Symbol.asyncDispose]();
    const starting = startWorker("10.1.2.3:50051", { proxy: `http://${proxy.address}` });
    await expect(starting).rejects.toThrow(/The proxy .* gave no tunnel .*ECONNREFUSED/);
  });

  test.each(["socks5://127.0.0.1:1", "https://user:secret@127.0.0.1:1", "127.0.0.1:3128", ""])(
    "refuses a proxy that is not an HTTP proxy: %s",
    (proxy) => {
      const make = () => new GrpcWorkerAgentRuntime("10.1.2.3:50051", { channelOptions: { proxy } });
      expect(make).toThrow(/must be the address of an HTTP proxy/);
      expect(make).not.toThrow("secret");
    },
  );
});

describe("environmentProxy", () => {
  const { signal } = new AbortController();
  const [grpc, https, http] = ["http://grpc:1", "http://https:1", "http://http:1"];

  test.each([
    ["prefers grpc_proxy", { grpc_proxy: grpc, https_proxy: https, http_proxy: http }, grpc],
    ["then https_proxy", { https_proxy: https, http_proxy: http }, https],
    ["then http_proxy", { grpc_proxy: "", http_proxy: http }, http],
    ["uses none", {}, undefined],
    ["knows names", { http_proxy: http, no_proxy: "other,host.example.com" }, undefined],
    ["knows ends of names", { http_proxy: http, no_proxy: "other, .example.com" }, undefined],
    ["prefers no_grpc_proxy", { http_proxy: http, no_proxy: ".example.com", no_grpc_proxy: "other" }, http],
    ["ignores empty names", { http_proxy: http, no_proxy: "," }, http],
    ["knows all", { http_proxy: http, no_proxy: "*" }, undefined],
  ])("%s", (_name, environment, proxy) => {
    expect(environmentProxy(environment)({ address: "host.example.com:50051", signal })).toBe(proxy);
  });

  test.each([
    ["10.1.2.3:50051", undefined],
    ["11.1.2.3:50051", http],
    ["[fd00::1]:50051", http],
    ["unix:/run/troupe.sock", undefined],
  ])("knows networks: %s", (address, proxy) => {
    expect(environmentProxy({ http_proxy: http, no_proxy: "10.0.0.0/8" })({ address, signal })).toBe(proxy);
  });
});
