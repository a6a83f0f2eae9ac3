// The ends of the plain TCP relay: `tcp publisher ADDRESS WORKERS | worker ADDRESS INDEX AGENTS`. They use our messages
// and codec, but no agents, checks, limits or JSON. A worker gets each event once for all its agents.
import { connect } from "node:net";
import { decodeFrame, encodeFrame } from "troupe/protocol";
import { FrameSocket } from "../peers/frame-socket.ts";
import { Progress } from "./progress.ts";
import { servePublishRounds } from "./publish-rounds.ts";
import { progressOf, rawNews, rawProgress, sentNsOf } from "./raw-news.ts";
import { Tally } from "./tally.ts";

const [role = "", address = "", ...numbers] = process.argv.slice(2);
const noBytes = new Uint8Array(0);
let onEvent: (data: Uint8Array) => void = () => {};
let onAcknowledged = () => {};
let count = 0;
const socket = new FrameSocket(connect(Number(address.split(":").at(-1)), "127.0.0.1"), (bytes) => {
  const frame = decodeFrame(bytes);
  if (frame.kind === "event") onEvent(frame.event?.payload?.data ?? noBytes);
  else onAcknowledged();
});

if (role === "publisher") {
  const [workers = 0] = numbers.map(Number);
  const progress = new Progress(workers);
  onEvent = (data) => {
    const { worker, events } = progressOf(data);
    progress.take(worker, events);
  };
  await register("publisher", "progress");
  await servePublishRounds(progress, (sentNs) => publish("news", rawNews(sentNs)));
} else {
  const [index = 0, agents = 0] = numbers.map(Number);
  const tally = new Tally(agents, (events) => publish("progress", rawProgress(index, events)));
  onEvent = (data) => {
    const sentNs = sentNsOf(data);
    for (let agent = 0; agent < agents; agent += 1) tally.add(sentNs);
  };
  await register(`worker${index}`, "news");
  await tally.serve();
}

/** Resolves when the relay knows the type and its subscription. */
async function register(agentType: string, topicType: string): Promise<void> {
  for (const frame of [
    { kind: "register-type", requestId: "1", agentType },
    { kind: "subscribe", requestId: "2", pattern: { kind: "type", topicType, agentType } },
  ] as const) {
    socket.send(encodeFrame(frame));
    await new Promise<void>((resolve) => {
      onAcknowledged = resolve;
    });
  }
}

function publish(topicType: string, data: Uint8Array): void {
  count += 1;
  const payload = { typeName: "News", contentType: "application/json", data };
  const event = { id: `${count}`, topicType, topicSource: "1", sender: undefined, payload, attributes: {} };
  socket.send(encodeFrame({ kind: "event", event }));
}
