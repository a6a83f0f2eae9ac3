import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DefaultTopicId, defineMessage, TroupeError } from "troupe";
import { GrpcWorkerAgentRuntime, GrpcWorkerAgentRuntimeHost } from "troupe/grpc";
import { startFaultProxy } from "troupe/testing";
import { StatusCode } from "troupe/transport";
import { describe, expect, onTestFinished, test } from "vitest";
import * as z from "zod";
import { RecordingLogger } from "../../support/recording-logger.ts";
import { testCertificate, testKey } from "../../support/test-certificate.ts";

const StringMessage = defineMessage("StringMessage", z.object({ text: z.string() }));

/** Fails in one of Troupe's own errors; returns its code and text. */
async function failureOf(act: () => unknown): Promise<{ readonly code: string; readonly message: string }> {
  const error = await Promise.resolve()
    .then(act)
    .then(
      () => new Error("nothing failed"),
      (thrown: unknown) => thrown,
    );
  expect(error).toBeInstanceOf(TroupeError);
  const { code, message } = TroupeError.from(error);
  return { code, message };
}

async function startHost(address: string, options = {}) {
  const host = new GrpcWorkerAgentRuntimeHost(address, options);
  onTestFinished(() => host.stop());
  await host.start();
  return host;
}

async function startWorker(address: string | readonly string[], options = {}) {
  const worker = new GrpcWorkerAgentRuntime(address, { reconnect: false, ...options });
  onTestFinished(() => worker[Symbol.asyncDispose]());
  await worker.start();
}

describe("a host that can't listen rejects its start with an error that says what to do:", () => {
  test("a port that another program has", async () => {
    const { address } = await startHost("127.0.0.1:0");
    const { code, message } = await failureOf(() => startHost(address));
    expect(code).toBe("already-exists");
    expect(message).toContain(`The host can't listen on ${address}: ${address} is already in use. Stop the program`);
  });

  test.each([
    ["nonsense", "the port is missing"],
    ["127.0.0.1:99999", "the port 99999 is above 65535"],
    ["::1:50051", "an IPv6 address needs brackets, [::1]:50051"],
    ["192.0.2.1:50051", "is not an address of this machine"],
    [`unix:${join(tmpdir(), "s".repeat(120))}`, "and the system takes 10"],
    ["unix:/no/such/directory/socket", "directory"],
    ["https://127.0.0.1:0", "asks for TLS: pass the option tls, { cert, key }."],
  ])("%s", async (address, says) => {
    const { code, message } = await failureOf(() => startHost(address, { insecure: true }));
    expect({ code, message }).toEqual({ code: "invalid-argument", message: expect.stringContaining(says) });
  });

  test.each([
    ["a file's name in place of a certificate", { cert: "host.crt", key: "host.key" }, "are the text of PEM files"],
    ["TLS without a certificate", {}, "needs a certificate"],
  ])("%s", async (_what, tls, says) => {
    const { code, message } = await failureOf(() => startHost("127.0.0.1:0", { channelOptions: { tls } }));
    expect({ code, message }).toEqual({ code: "invalid-argument", message: expect.stringContaining(says) });
  });
});

describe("a worker that can't be made or started says what to do:", () => {
  test.each([
    ["::1:50051", "an IPv6 address needs brackets"],
    [`unix:/tmp/${"s".repeat(120)}`, "and the system takes 10"],
  ])("%s", async (address, says) => {
    const { code, message } = await failureOf(() => startWorker(address));
    expect({ code, message }).toEqual({ code: "invalid-argument", message: expect.stringContaining(says) });
  });

  test("a token that the host refuses", async () => {
    const authorize = () => ({ code: StatusCode.unauthenticated, details: "wrong token" });
    const { address } = await startHost("127.0.0.1:0", { authorize });
    const { code, message } = await failureOf(() => startWorker(address));
    expect({ code, message }).toEqual({
      code: "not-authorized",
      message: expect.stringMatching(/wrong token.*channelOptions\.metadata.*channelOptions\.tls/),
    });
  });

  test("several hosts of which none answers are all named, each with its reason", async () => {
    const { code, message } = await failureOf(() => startWorker(["127.0.0.1:1", "127.0.0.1:2"]));
    expect({ code, message }).toEqual({
      code: "disconnected",
      message: expect.stringMatching(
        /^None of the 2 hosts can be reached.*127\.0\.0\.1:1.*refused.*127\.0\.0\.1:2.*refused/,
      ),
    });
  });

  test("several addresses in one text", async () => {
    const { code, message } = await failureOf(() => startWorker("127.0.0.1:1,127.0.0.1:2"));
    expect({ code, message }).toEqual({
      code: "invalid-argument",
      message: expect.stringContaining('several addresses are an array: ["127.0.0.1:1", "127.0.0.1:2"]'),
    });
  });

  test("a stop after it does not hide why the start failed", async () => {
    const worker = new GrpcWorkerAgentRuntime("127.0.0.1:1", { reconnect: false });
    const startAndStop = async () => {
      try {
        await worker.start();
      } finally {
        await worker.stop();
      }
    };
    const { code, message } = await failureOf(startAndStop);
    expect({ code, message }).toEqual({
      code: "disconnected",
      message: expect.stringContaining("Nothing listens on 127.0.0.1:1 (connection refused)."),
    });
    expect(await failureOf(() => worker.publishMessage(StringMessage({ text: "" }), new DefaultTopicId()))).toEqual({
      code: "wrong-state",
      message: expect.stringContaining("Nothing listens on 127.0.0.1:1 (connection refused)."),
    });
  });

  test("an address that can't be read is refused also behind one that answers", async () => {
    const { address } = await startHost("127.0.0.1:0");
    const { code, message } = await failureOf(() => startWorker([address, "backup.example"]));
    expect({ code, message }).toEqual({
      code: "invalid-argument",
      message: expect.stringContaining('"backup.example" is not an address: the port is missing'),
    });
  });

  test.each([
    ["a bad certificate", { tls: { cert: "worker.crt", key: "worker.key" } }, "The option tls can't be used"],
    ["metadata under a reserved name", { metadata: { "content-type": "x" } }, "The option metadata can't be used"],
  ])("%s", async (_what, channelOptions, says) => {
    const { code, message } = await failureOf(() => startWorker("127.0.0.1:1", { channelOptions }));
    expect({ code, message }).toEqual({ code: "invalid-argument", message: expect.stringContaining(says) });
  });

  test("a port on which nothing listens", async () => {
    const server = await listening();
    const address = addressOf(server);
    server.close();
    await once(server, "close");
    const { code, message } = await failureOf(() => startWorker(address));
    expect(code).toBe("disconnected");
    expect(message).toContain(`Nothing listens on ${address} (connection refused). Start the host there`);
  });
});

test.each(["TLSv1.3", "TLSv1.2"] as const)(
  "a worker without the client certificate that a host wants over %s fails at once, and says so",
  async (maxVersion) => {
    const tls = { cert: testCertificate, key: testKey, ca: testCertificate, requestCert: true };
    const { address } = await startHost("127.0.0.1:0", { channelOptions: { tls } });
    // No time limit of the worker ends the attempt.
    const channelOptions = { tls: { ca: testCertificate, maxVersion }, connectTimeoutMs: 1_000_000 };
    const { code, message } = await failureOf(() =>
      startWorker(address, { channelOptions, startTimeoutMs: 1_000_000 }),
    );
    expect(code).toBe("disconnected");
    expect(message).toContain("Check whether it uses TLS and whether it wants a client certificate.");
  },
);

describe("a host with TLS says in its log, once a minute for each address and reason, which client its handshake refused:", () => {
  const tls = { cert: testCertificate, key: testKey, requestCert: true };

  test.each([
    ["one without a certificate", { ca: testCertificate }, "peer did not return a certificate"],
    [
      "one whose certificate is of another authority",
      { ca: testCertificate, cert: testCertificate, key: testKey },
      "its certificate is not accepted (DEPTH_ZERO_SELF_SIGNED_CERT)",
    ],
  ])("%s", async (_which, clientTls, reason) => {
    const logger = new RecordingLogger();
    const host = await startHost("127.0.0.1:0", { logger, channelOptions: { tls } });
    const line = "a client is refused: its TLS handshake failed";
    for (let count = 0; count < 3; count += 1) {
      await failureOf(() => startWorker(host.address, { channelOptions: { tls: clientTls } }));
    }
    while (host.counters().transport.unopenedConnections < 3) await new Promise((resolve) => setImmediate(resolve));
    const said = logger.lines.filter(({ text }) => text === line);
    expect(said).toEqual([{ level: "info", text: line, fields: { address: "127.0.0.1", reason: expect.any(String) } }]);
    expect(said[0]?.fields?.reason).toContain(reason);
  });

  test("not one that hangs up before it says anything, as a probe does", async () => {
    const logger = new RecordingLogger();
    const host = await startHost("127.0.0.1:0", { logger, channelOptions: { tls } });
    connect(Number(host.address.split(":").at(-1)), "127.0.0.1").end();
    while (host.counters().transport.unopenedConnections < 1) await new Promise((resolve) => setImmediate(resolve));
    expect(logger.lines).toEqual([]);
  });
});

describe("a start against a peer that accepts and never answers says what was waited for", () => {
  test.each([
    ["connectTimeoutMs", { channelOptions: { connectTimeoutMs: 300 } }, "did not answer HTTP/2"],
    ["startTimeoutMs", { startTimeoutMs: 300 }, "did not answer HTTP/2"],
    [
      "connectTimeoutMs",
      { channelOptions: { connectTimeoutMs: 300, tls: { rejectUnauthorized: false } } },
      "did not finish the TLS handshake",
    ],
  ])("and names %s", async (option, options, says) => {
    const server = await listening();
    const address = addressOf(server);
    const { code, message } = await failureOf(() => startWorker(address, options));
    expect(code).toBe("disconnected");
    expect(message).toContain(`${address} accepted the connection but ${says}`);
    expect(message).toContain(`within 300 ms (the option ${option}).`);
    expect(message).toContain("Check that a gRPC host listens there, and that both sides agree on TLS.");
  });
});

test("a fault proxy on a port that another program has fails with an error of Troupe's", async () => {
  const address = addressOf(await listening());
  const { code } = await failureOf(() => startFaultProxy({ target: address, address }));
  expect(code).toBe("invalid-argument");
});

async function listening(): Promise<Server> {
  const server = createServer(() => undefined);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  return server;
}

function addressOf(server: Server): string {
  const { port } = server.address() as AddressInfo;
  return `127.0.0.1:${port}`;
}
