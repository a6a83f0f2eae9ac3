import { once } from "node:events";
import { createServer, type Http2Server, type ServerHttp2Session, type ServerHttp2Stream } from "node:http2";
import { gzipSync } from "node:zlib";
import { afterAll, describe, expect, test } from "vitest";
import { AgentId, UnknownPayload } from "../../../src/core/index.ts";
import { decodeFrame, encodeFrame } from "../../../src/protocol/index.ts";
import { seededRandom } from "../../../src/testing/seeded-random.ts";
import { grpcDialer } from "../../../src/transport/index.ts";
import { WorkerRuntime } from "../../../src/worker/index.ts";
import { messagesOf } from "../../conformance/support/grpc-framing.ts";
import { mutants } from "../../fuzz/campaign.ts";
import { streamOf } from "../../fuzz/check-framing.ts";
import type { Inbox } from "../../support/inbox.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";
import { requestFrame } from "../../support/worker/frames.ts";
import { FunctionAgent } from "../../support/worker/function-agent.ts";
import { MyMessage } from "../../support/worker/messages.ts";
import { message } from "./raw-http2.ts";

let badInputs = 0;
afterAll(() => console.log(`fact: ${badInputs} bad messages tried against a worker over gRPC`));

/** The host's end of a worker's data channel, on which it may write anything. */
interface Channel {
  readonly stream: ServerHttp2Stream;
  readonly received: Inbox<Uint8Array>;
}

/** Answers every unary call with an empty message, and hands out the data channels. */
class HostileHost implements AsyncDisposable {
  readonly #server: Http2Server;
  readonly #sessions = new Set<ServerHttp2Session>();
  readonly #workers: WorkerRuntime[] = [];
  #onChannel: (channel: Channel) => void = () => undefined;

  private constructor(server: Http2Server) {
    this.#server = server;
    server.on("session", (session) => this.#sessions.add(session));
    server.on("stream", (stream, headers) => this.#serve(stream, String(headers[":path"])));
  }

  static async listen(): Promise<HostileHost> {
    const server = createServer();
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new HostileHost(server);
  }

  get address(): string {
    const address = this.#server.address();
    return `127.0.0.1:${typeof address === "object" ? address?.port : ""}`;
  }

  /** A worker that answers calls to `a/…` by what kind of message it got. */
  async worker(): Promise<readonly [WorkerRuntime, Channel]> {
    const opened = new Promise<Channel>((resolve) => {
      this.#onChannel = resolve;
    });
    const worker = new WorkerRuntime({
      dialer: grpcDialer(),
      address: this.address,
      drainTimeoutMs: 200,
      logger: new RecordingLogger(),
    });
    this.#workers.push(worker);
    await worker.start();
    worker.addMessageSerializer([MyMessage]);
    await worker.registerFactory(
      "a",
      () => new FunctionAgent((given) => (given instanceof UnknownPayload ? undefined : given)),
    );
    return [worker, await opened];
  }

  onNextChannel(tell: (channel: Channel) => void): void {
    this.#onChannel = tell;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker[Symbol.asyncDispose]()));
    for (const session of this.#sessions) session.destroy();
    this.#server.close();
  }

  #serve(stream: ServerHttp2Stream, path: string): void {
    stream.on("error", () => undefined);
    stream.respond(
      { ":status": 200, "content-type": "application/grpc", "grpc-encoding": "gzip" },
      { waitForTrailers: true },
    );
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
    if (!path.endsWith("Channel")) stream.end(message(new Uint8Array(0)));
    else if (path.endsWith("/OpenChannel")) this.#onChannel({ stream, received: messagesOf(stream) });
    stream.on("end", () => stream.end());
  }
}

/** The worker is up to a call that comes after all the rest. */
async function expectItServes({ stream, received }: Channel): Promise<void> {
  stream.write(message(encodeFrame(requestFrame("a/k", { requestId: "after-all" }))));
  for (;;) {
    const frame = decodeFrame(await received.take());
    if (frame.kind !== "response" || frame.requestId !== "after-all") continue;
    expect(frame).toMatchObject({ error: "", payload: { typeName: "MyMessage" } });
    return;
  }
}

describe("a worker whose host", () => {
  test("sends mutated frames serves on", async () => {
    await using host = await HostileHost.listen();
    const [, channel] = await host.worker();
    for (const mutant of mutants(seededRandom(21), 3_000)) channel.stream.write(message(mutant));
    await expectItServes(channel);
    badInputs += 3_000;
  });

  test("sends the mutated answers of calls that it was not asked, and one that it was, settles that one", async () => {
    await using host = await HostileHost.listen();
    const [worker, channel] = await host.worker();
    const outcome = worker.sendMessage(MyMessage({ content: "x" }), new AgentId("b", "k"));
    const asked = decodeFrame(await channel.received.take());
    if (asked.kind !== "request") throw new Error(asked.kind);
    for (const mutant of mutants(seededRandom(22), 1_000)) channel.stream.write(message(mutant));
    const { requestId, payload } = asked;
    const answer = encodeFrame({ kind: "response", requestId, payload, error: "", metadata: {} });
    for (let times = 0; times < 100; times += 1) channel.stream.write(message(answer));
    expect(await outcome).toMatchObject({ content: "x" });
    await expectItServes(channel);
    badInputs += 1_100;
  });

  test("frames badly, compresses badly or sends bombs serves on", async () => {
    await using host = await HostileHost.listen();
    const [, channel] = await host.worker();
    channel.stream.write(message(gzipSync(Buffer.alloc(100 * 1024 * 1024)), undefined, 1));
    channel.stream.write(message(Buffer.from("no gzip"), undefined, 1));
    channel.stream.write(message(Buffer.from("an unknown flag"), undefined, 77));
    await expectItServes(channel);
    badInputs += 3;
  });

  test.each([
    ["announces 4 GiB and hangs up", message(new Uint8Array(1_000), 0xffff_ffff)],
    ["sends noise and hangs up", streamOf(seededRandom(23), mutants(seededRandom(24), 50))],
  ])("%s comes back by itself", async (_what, bytes) => {
    await using host = await HostileHost.listen();
    const [, channel] = await host.worker();
    const again = new Promise<Channel>((resolve) => host.onNextChannel(resolve));
    channel.stream.write(bytes);
    channel.stream.end();
    await expectItServes(await again);
    badInputs += 1;
  });
});
