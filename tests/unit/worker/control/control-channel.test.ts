import { expect, test } from "vitest";
import { AgentId, LimitedLog } from "../../../../src/core/internal.ts";
import { controlReply, decodeControl, encodeControl } from "../../../../src/protocol/internal.ts";
import { ManualClock } from "../../../../src/testing/index.ts";
import { StatusCode, type StreamEnd } from "../../../../src/transport/internal.ts";
import { ControlChannel } from "../../../../src/worker/control/control-channel.ts";
import { RecordingLogger } from "../../../support/recording-logger.ts";
import { FakeStreams } from "../../../support/worker/fake-streams.ts";

const agentId = new AgentId("writer", "1");
const unimplemented = (origin: "peer" | "proxy"): StreamEnd => {
  return { by: "status", status: { code: StatusCode.unimplemented, details: "no route" }, origin };
};

function openControl({ isAnnounced }: { readonly isAnnounced: boolean }) {
  const clock = new ManualClock();
  const { streams, openStream, end } = new FakeStreams();
  let lastId = 0;
  const makeId = () => {
    lastId += 1;
    return `rpc-${lastId}`;
  };
  const logger = new LimitedLog(new RecordingLogger(), clock);
  const control = new ControlChannel({
    connection: {
      ...{ clientId: "me", outbox: { host: { isAnnounced } } },
      openStream: (name, receiver) => ({ stream: openStream(name, receiver), nextLink: async () => false }),
    },
    settings: { clock, logger, makeId, controlTimeoutMs: 1_000, maxOutboxBytes: 1_000_000 },
    server: async () => {
      throw new Error("No request comes.");
    },
  });
  const ask = () => control.request("agentid=writer/1", { kind: "save-request", agentId });
  /** The host answers the last request. */
  const answer = () => {
    const { sent, receiver } = streams.at(-1) ?? { sent: [], receiver: undefined };
    const request = decodeControl(sent.at(-1) ?? new Uint8Array());
    const body = { kind: "save-response", state: "{}", error: undefined } as const;
    receiver?.onFrame(encodeControl({ ...controlReply(request, body), respondTo: undefined }));
  };
  return { ask, answer, end, streams };
}

test.each([
  ["a Troupe host, whose proxy answers as gRPC does", true, "peer"],
  ["a stock host, whose proxy answers with an HTTP status", false, "proxy"],
] as const)("a worker asks %s for other agents again", async (_which, isAnnounced, origin) => {
  const { ask, answer, end } = openControl({ isAnnounced });
  const first = ask();
  end(unimplemented(origin));
  await expect(first).rejects.toThrow("no route");
  const second = ask();
  answer();
  expect(await second).toMatchObject({ kind: "save-response" });
});

test("a worker asks a stock host that has no control channel once", async () => {
  const { ask, end, streams } = openControl({ isAnnounced: false });
  const first = ask();
  end(unimplemented("peer"));
  await expect(first).rejects.toMatchObject({ code: "not-accessible" });
  await expect(ask()).rejects.toMatchObject({ code: "not-accessible" });
  expect(streams).toHaveLength(1);
});
