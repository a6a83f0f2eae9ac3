import { describe, expect, test } from "vitest";
import { GrpcWorkerAgentRuntimeHost } from "../../src/grpc/index.ts";
import {
  asciiBytes,
  decodeAddSubscriptionRequest,
  decodeFrame,
  decodeRegisterAgentRequest,
  decodeRemoveSubscriptionRequest,
  encodeAddSubscriptionRequest,
  encodeFrame,
  encodeRegisterAgentRequest,
  encodeRemoveSubscriptionRequest,
  peekFrame,
  requestIdText,
  withRequestId,
} from "../../src/protocol/index.ts";
import { grpcDialer } from "../../src/transport/index.ts";
import { dotnetWire, recordedFrames, recordedHeaders } from "../support/dotnet/dotnet-wire.ts";
import { DotnetWorker } from "../support/dotnet/dotnet-worker.ts";
import { exact, prefix, RawWorker } from "../support/raw-worker.ts";
import { bytesOf, hexOf } from "./support/python-wire.ts";

const messages = dotnetWire.messages.filter(({ hex = "" }) => hex !== "");
const named = (path: string) => messages.filter((step) => step.path.endsWith(path));
const title = (step: (typeof messages)[number], index: number) => ({
  name: `${index}: ${step.direction} during "${step.during}"`,
  hex: step.hex ?? "",
});

/** Reads a recorded request with our codec and writes it again. */
const unaryCodecs = {
  "/RegisterAgent": (bytes: Uint8Array) => encodeRegisterAgentRequest(decodeRegisterAgentRequest(bytes)),
  "/AddSubscription": (bytes: Uint8Array) => encodeAddSubscriptionRequest(decodeAddSubscriptionRequest(bytes)),
  "/RemoveSubscription": (bytes: Uint8Array) => encodeRemoveSubscriptionRequest(decodeRemoveSubscriptionRequest(bytes)),
} as const;

describe("our codecs write what AutoGen's .NET worker and our host wrote, byte for byte", () => {
  test.each(Object.entries(unaryCodecs))("%s [§8.1]", (path, again) => {
    expect(named(path).length).toBeGreaterThan(0);
    for (const { hex = "" } of named(path)) expect(hexOf(again(bytesOf(hex)))).toBe(hex);
  });

  const calls = named("/OpenChannel").filter(({ hex = "" }) => decodeFrame(bytesOf(hex)).kind !== "event");
  test.each(calls.map(title))("$name [§8.1]", ({ hex }) => {
    expect(hexOf(encodeFrame(decodeFrame(bytesOf(hex))))).toBe(hex);
  });
});

/** The message with another request id; two messages that differ in nothing else are then equal. */
function hexWithoutId(bytes: Uint8Array | undefined): string {
  const peeked = peekFrame(bytes ?? new Uint8Array(0));
  if (peeked.kind !== "request" && peeked.kind !== "response") throw new Error(`a ${peeked.kind} has no request id`);
  return hexOf(withRequestId(peeked, asciiBytes("id")));
}

function idOf(bytes: Uint8Array): string {
  const peeked = peekFrame(bytes);
  return peeked.kind === "request" || peeked.kind === "response" ? requestIdText(peeked) : "";
}

const [neta, netb] = dotnetWire.messages
  .filter(({ event, path }) => event === "request headers" && path.endsWith("/OpenChannel"))
  .map(({ headers = [] }) => headers.find(([name]) => name === "client-id")?.[1]);

describe("AutoGen's .NET worker on Troupe's host, as it was recorded", () => {
  test("gets and sends the recorded bytes; what had ended its reader does not come any more [§8.66]", async () => {
    await using host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0");
    await host.start();
    await using worker = new DotnetWorker(host.address, { clientId: neta ?? "" });
    await worker.start(["neta"], [exact("orders", "neta"), prefix("ord", "neta")]);
    const link = grpcDialer().dial(host.address);
    const tsa = await new RawWorker(link, "tsa").join();
    await tsa.register("tsa");

    // TypeScript calls neta/k1.
    const [call = new Uint8Array(0)] = recordedFrames("host->worker", "TypeScript calls neta/k1");
    const [answer] = recordedFrames("worker->host", "TypeScript calls neta/k1");
    tsa.sendBytes(call);
    expect(hexWithoutId(await worker.received.take())).toBe(hexWithoutId(call));
    const { bytes } = await tsa.nextArrived();
    expect(hexWithoutId(bytes)).toBe(hexWithoutId(answer));
    expect(idOf(bytes)).toBe(idOf(call));

    // The worker calls tsa/k1, with and without a sender.
    for (const during of [
      "neta's worker calls tsa/k1 as neta/default",
      "neta's worker calls tsa/k1 without a sender",
    ]) {
      const [asked = new Uint8Array(0)] = recordedFrames("worker->host", during);
      const [answered = new Uint8Array(0)] = recordedFrames("host->worker", during);
      worker.write(asked);
      const arrived = await tsa.nextArrived();
      expect(hexWithoutId(arrived.bytes)).toBe(hexWithoutId(asked));
      const peeked = peekFrame(answered);
      if (peeked.kind === "response") tsa.sendBytes(withRequestId(peeked, asciiBytes(idOf(arrived.bytes))));
      expect(hexOf(await worker.received.take())).toBe(hexOf(answered));
    }

    // Events of either side.
    const [own = new Uint8Array(0)] = recordedFrames(
      "worker->host",
      "neta's worker publishes to orders/o1 as neta/default",
    );
    worker.write(own);
    expect(hexOf(await worker.received.take())).toBe(hexOf(own));
    const [foreign = new Uint8Array(0)] = recordedFrames(
      "host->worker",
      "TypeScript publishes to orders/o2 without a sender",
    );
    tsa.sendBytes(foreign);
    expect(hexOf(await worker.received.take())).toBe(hexOf(foreign));

    // A fresh worker calls nobody/k: the recorded host answered with an error. Now the next thing is the answer to the next call.
    await using fresh = await new DotnetWorker(host.address, { clientId: netb ?? "" }).start(["netc"]);
    const [lost = new Uint8Array(0)] = recordedFrames(
      "worker->host",
      "fresh worker netc calls nobody/k: the host answers with an error",
    );
    fresh.write(lost);
    const [asked = new Uint8Array(0)] = recordedFrames("worker->host", "neta's worker calls tsa/k1 without a sender");
    fresh.write(asked);
    const arrived = await tsa.nextArrived();
    expect(hexWithoutId(arrived.bytes)).toBe(hexWithoutId(asked));
    const [answered = new Uint8Array(0)] = recordedFrames(
      "host->worker",
      "neta's worker calls tsa/k1 without a sender",
    );
    const peeked = peekFrame(answered);
    if (peeked.kind === "response") tsa.sendBytes(withRequestId(peeked, asciiBytes(idOf(arrived.bytes))));
    expect(hexOf(await fresh.received.take())).toBe(hexOf(answered));
    expect(fresh.failures.rest).toEqual([]);

    // A handler throws; the next call was handled, and its answer lost. Now the caller hears at once that the worker is of no use.
    const [throwing = new Uint8Array(0)] = recordedFrames("host->worker", "a handler of neta throws");
    tsa.sendBytes(throwing);
    expect((await tsa.nextResponse()).error).toBe("Client for agent type neta disconnected.");
    await worker.failures.take();
    const [after = new Uint8Array(0)] = recordedFrames(
      "host->worker",
      "the next call to neta: handled, its answer is lost on the worker",
    );
    tsa.sendBytes(after);
    expect((await tsa.nextResponse()).error).toContain("Restart that worker.");
    expect(worker.frames.filter(({ kind }) => kind === "request")).toHaveLength(2);
    await link.close();
  });

  test("says who it is by the user agent of its library", () => {
    expect(recordedHeaders.find(([name]) => name === "user-agent")?.[1]).toMatch(/^grpc-dotnet\/2\.71\.0 /);
  });
});
