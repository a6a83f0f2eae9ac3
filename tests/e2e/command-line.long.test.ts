import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { AgentId, defineMessage, handlerTable, RoutedAgent } from "troupe";
import { GrpcWorkerAgentRuntime } from "troupe/grpc";
import { describe, expect, test } from "vitest";
import * as z from "zod";
import { grpcDialer } from "../../src/transport/index.ts";
import { NodeProgram } from "../support/node-program.ts";
import { exact, RawWorker } from "../support/raw-worker.ts";
import { testCertificate, testKey } from "../support/test-certificate.ts";

const Note = defineMessage("Note", z.object({ text: z.string() }));

/** A host keeps no states, so that no files stay behind. */
const troupe = (command = "", ...args: string[]) =>
  new NodeProgram("src/cli/main.ts", [command, ...(command === "host" ? ["--state", "memory:"] : []), ...args]);
const readyLine = /^.*127\.0\.0\.1:(\d+).*$/m;

/** One line with some text in it, and no stack trace. */
function expectOneLine(text: string): void {
  expect(text.trimEnd().split("\n")).toHaveLength(1);
  expect(text.trim().length).toBeGreaterThan(10);
}

describe("troupe state", () => {
  test("copies and checks the store of a host that runs, and a second host is told who holds it", async () => {
    const folder = mkdtempSync(join(tmpdir(), "troupe-cli-"));
    try {
      const [state, copy] = [`sqlite:${join(folder, "state.db")}`, join(folder, "copy.db")];
      const start = () => new NodeProgram("src/cli/main.ts", ["host", "--address", "127.0.0.1:0", "--state", state]);
      await using host = start();
      await host.output(readyLine);
      const refused = await start().ended;
      expect(refused).toMatchObject({ code: 1, stdout: "" });
      expect(refused.stderr).toMatch(/in use by process \d+.*--take-over/);
      expect(await troupe("state", "backup", copy, "--state", state).ended).toMatchObject({ code: 0, stderr: "" });
      const checked = await troupe("state", "check", "--json", "--state", `sqlite:${copy}`).ended;
      expect(JSON.parse(checked.stdout)).toEqual({ faults: [] });
      expect(await host.stop()).toMatchObject({ code: 0 });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe("troupe host", () => {
  test("says in one line that it is ready, and at which port", async () => {
    await using host = troupe("host", "--address", "127.0.0.1:0");
    const [, port] = await host.output(readyLine);
    expect(Number(port)).toBeGreaterThan(0);
    const { stdout, stderr } = await host.stop();
    expectOneLine(stdout.split("\n")[0] ?? "");
    expect(stderr).toBe("");
  });

  test("lives on when what reads its log has gone, and answers", async () => {
    await using host = troupe("host", "--address", "127.0.0.1:0", "--log-format", "json", "--log-level", "debug");
    const [, port] = await host.output(readyLine);
    host.stopReading();
    const asked = () => troupe("doctor", "--address", `127.0.0.1:${port}`, "--json").ended;
    // The host logs each worker that joins and leaves: the first lines meet a pipe without a reader.
    expect(await asked()).toMatchObject({ code: 0 });
    expect(await asked()).toMatchObject({ code: 0 });
    expect(await host.stop()).toMatchObject({ code: 0 });
  });

  test.each(["SIGTERM", "SIGINT", "SIGHUP"] as const)("ends with 0 on %s", async (signal) => {
    await using host = troupe("host", "--address", "127.0.0.1:0");
    await host.output(readyLine);
    expect(await host.stop(signal)).toMatchObject({ code: 0, stderr: "" });
  });

  test("on SIGTERM answers a call that is under way with an error, and ends with 0", async () => {
    const asked = withResolvers();
    class Silent extends RoutedAgent {
      static override readonly handlers = handlerTable<Silent>().rpc(Note, (_note, { signal }) => {
        asked.resolve();
        return new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(new Error("ended"))));
      });
    }
    await using host = troupe("host", "--address", "127.0.0.1:0");
    const [, port] = await host.output(readyLine);
    await using worker = new GrpcWorkerAgentRuntime(`127.0.0.1:${port}`, { drainTimeoutMs: 100 });
    await worker.start();
    await Silent.register(worker, "silent", () => new Silent("never answers"));
    const call = worker.sendMessage(Note({ text: "hello?" }), new AgentId("silent", "1"));
    const failed = expect(call).rejects.toMatchObject({ name: "UndeliverableException" });
    await asked.promise;
    const ended = await host.stop();
    await failed;
    expect(ended).toMatchObject({ code: 0 });
  });

  test.each(["text", "json"])(
    "logs as %s who joins, what it serves, what is refused, and who leaves",
    async (format) => {
      // The other format is that of a log which no terminal shows.
      const flags = format === "text" ? ["--log-format", format] : [];
      await using host = troupe("host", "--address", "127.0.0.1:0", ...flags);
      const [, port] = await host.output(readyLine);
      const links = [grpcDialer().dial(`127.0.0.1:${port}`), grpcDialer().dial(`127.0.0.1:${port}`)] as const;
      const worker = await new RawWorker(links[0], "W").join();
      await worker.register("writer");
      await expect(new RawWorker(links[1], "V").register("writer")).rejects.toThrow();
      const closed = worker.ended;
      worker.stream.end();
      await closed;
      await Promise.all(links.map((link) => link.close()));
      const { stderr } = await host.stop();
      if (format === "json") {
        const lines: unknown[] = stderr
          .trimEnd()
          .split("\n")
          .map((line) => JSON.parse(line));
        const address = expect.stringMatching(/^127\.0\.0\.1:\d+$/);
        for (const line of [
          { msg: "a worker has joined", clientId: "W", address },
          { msg: "a worker serves an agent type", agentType: "writer", clientId: "W" },
          { msg: "a registration is refused", clientId: "V", agentType: "writer", holder: "W" },
          { msg: "a worker has left", clientId: "W", address, reason: "left", types: ["writer"] },
        ])
          expect(lines).toContainEqual(expect.objectContaining({ level: "info", time: expect.any(String), ...line }));
        return;
      }
      expect(stderr).toMatch(/info {2}a worker has joined clientId=W address=127\.0\.0\.1:\d+/);
      expect(stderr).toMatch(/info {2}a worker serves an agent type agentType=writer clientId=W/);
      expect(stderr).toMatch(/info {2}a registration is refused clientId=V agentType=writer .*holder=W/);
      expect(stderr).toMatch(
        /info {2}a worker has left clientId=W address=127\.0\.0\.1:\d+ reason=left types=\["writer"\]/,
      );
    },
  );

  test("logs only warnings when told so", async () => {
    await using host = troupe("host", "--address", "127.0.0.1:0", "--log-level", "warn");
    const [, port] = await host.output(readyLine);
    const link = grpcDialer().dial(`127.0.0.1:${port}`);
    await new RawWorker(link, "W").join();
    await link.close();
    expect(await host.stop()).toMatchObject({ code: 0, stderr: "" });
  });

  test("ends with 0 within its grace though a worker reads nothing of what waits for it", async () => {
    await using host = troupe("host", "--address", "127.0.0.1:0", "--grace-seconds", "1");
    const [, port] = await host.output(readyLine);
    await using _workers = await stalledAndQuick(`127.0.0.1:${port}`);
    expect(await host.stop()).toMatchObject({ code: 0 });
  });

  test("a second process signal ends it at once though it would still drain", async () => {
    await using host = troupe("host", "--address", "127.0.0.1:0", "--grace-seconds", "600");
    const [, port] = await host.output(readyLine);
    await using workers = await stalledAndQuick(`127.0.0.1:${port}`);
    host.signal("SIGTERM");
    expect((await workers.quick.next()).kind).toBe("leaving");
    expect(await host.stop("SIGTERM")).toMatchObject({ code: 128 + constants.signals.SIGTERM });
  });

  test("serves TLS, and only to clients with a certificate if told so", async () => {
    const folder = mkdtempSync(join(tmpdir(), "troupe-"));
    const [certFile, keyFile] = [join(folder, "cert.pem"), join(folder, "key.pem")];
    writeFileSync(certFile, testCertificate);
    writeFileSync(keyFile, testKey);
    await using host = troupe(
      ...[
        "host",
        "--address",
        "127.0.0.1:0",
        "--tls-cert",
        certFile,
        "--tls-key",
        keyFile,
        "--tls-client-ca",
        certFile,
      ],
    );
    const [, port] = await host.output(readyLine);
    rmSync(folder, { recursive: true });
    const known = grpcDialer({ tls: { ca: testCertificate, cert: testCertificate, key: testKey } });
    const link = known.dial(`127.0.0.1:${port}`);
    await new RawWorker(link, "K").join();
    await link.close();
    const stranger = grpcDialer({ tls: { ca: testCertificate } }).dial(`127.0.0.1:${port}`);
    await expect(stranger.unary("GetSubscriptions", new Uint8Array())).rejects.toThrow();
    await stranger.close();
  });

  test("an address in use is one line on stderr and a non-zero exit", async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
    const address = taken.address();
    const port = typeof address === "object" ? address?.port : undefined;
    await using host = troupe("host", "--address", `127.0.0.1:${port}`);
    const { code, stdout, stderr } = await host.ended;
    taken.close();
    expect(code).not.toBe(0);
    expect(stdout).toBe("");
    expectOneLine(stderr);
    expect(stderr).toContain(`127.0.0.1:${port}`);
    expect(stderr).toMatch(/in use/);
  });

  test.each([
    ["an unknown option", ["host", "--address", "127.0.0.1:0", "--colour"], /--colour/],
    ["a misspelt option", ["host", "--adress", "127.0.0.1:0"], /--adress/],
    ["an option with a wrong value", ["host", "--address", "127.0.0.1:0", "--grace-seconds", "few"], /--grace-seconds/],
    ["a message of no length", ["host", "--max-message-bytes", "0"], /--max-message-bytes.* 1024 /],
    ["a queue that no frame fits into", ["host", "--max-queued-bytes", "10"], /--max-queued-bytes.* 1024 /],
    ["a host for no worker", ["host", "--max-sessions", "0"], /--max-sessions.* 1 /],
    ["a time that no timer takes", ["host", "--keep-alive-seconds", "9999999"], /--keep-alive-seconds/],
    ["an unknown command", ["hots"], /hots/],
    ["an address without a port", ["host", "--address", "localhost"], /localhost/],
    ["a port that is too large", ["host", "--address", "127.0.0.1:70000"], /70000/],
    ["an option without its value", ["host", "--address"], /--address/],
    ["an option with a word it does not know", ["host", "--when-full", "wait"], /drop/],
    ["a certificate without its key", ["host", "--tls-cert", "x.pem"], /--tls-key/],
    ["a certificate that is not there", ["host", "--tls-cert", "x.pem", "--tls-key", "y.pem"], /x\.pem/],
  ])("%s is one line on stderr and a non-zero exit", async (_name, args, text) => {
    await using program = troupe(...args);
    const { code, stdout, stderr } = await program.ended;
    expect(code).not.toBe(0);
    expect(stdout).toBe("");
    expectOneLine(stderr);
    expect(stderr).toMatch(text);
  });

  test("--help names the command and its options", async () => {
    await using program = troupe("host", "--help");
    const { code, stdout } = await program.ended;
    expect(code).toBe(0);
    expect(stdout).toContain("--address");
  });
});

/** A worker that reads no more while megabytes wait for it, and one that does. */
async function stalledAndQuick(address: string): Promise<AsyncDisposable & { readonly quick: RawWorker }> {
  const [slowLink, quickLink] = [grpcDialer().dial(address), grpcDialer().dial(address)];
  const slow = await new RawWorker(slowLink, "slow").join();
  await slow.register("slow");
  await slow.subscribe("S", exact("t", "slow"));
  slow.stream.pause();
  const quick = await new RawWorker(quickLink, "quick", { isAnnounced: true }).join();
  const payload = { typeName: "T", contentType: "application/json", data: new Uint8Array(512 * 1024) };
  for (let count = 0; count < 64; count += 1) {
    const attributes = {};
    quick.send({
      kind: "event",
      event: { id: "E", topicType: "t", topicSource: "s", sender: undefined, payload, attributes },
    });
    await quick.settled();
  }
  return {
    quick,
    [Symbol.asyncDispose]: async () => {
      await Promise.all([slowLink.close(), quickLink.close()]);
    },
  };
}

function withResolvers(): { promise: Promise<void>; resolve: () => void } {
  let resolve = () => {};
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
