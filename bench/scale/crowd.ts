// Many light workers in one process: `crowd ADDRESS PLAN`, the plan as JSON. Keeps so many calls or events under way as it is told.
import { decodeFrame } from "troupe/protocol";
import { PlainWorker } from "../peers/plain-worker.ts";
import { commands, tell } from "../support/peer-commands.ts";
import { type CallTargets, CrowdCalls } from "./crowd-calls.ts";
import { CrowdEvents } from "./crowd-events.ts";
import { type Gathering, gather } from "./gathering.ts";
import { below } from "./payload.ts";

export interface CrowdPlan {
  readonly gathering: Gathering;
  /** Calls to whom, or events to how many topics. `seen`: each has been published once before. */
  readonly traffic:
    | ({ readonly kind: "calls" } & CallTargets)
    | { readonly kind: "events"; readonly topics: number; readonly seen: boolean };
}

export interface CrowdRound {
  readonly seconds: number;
  readonly inFlight: number;
}

/** How many messages are under way for each session before the rounds, and how many of them it takes until all code is warm. */
const warmingInFlight = 16;
const warmingMessages = 30_000;

const [address = "", plan = ""] = process.argv.slice(2);
const { gathering, traffic }: CrowdPlan = JSON.parse(plan);
let receive: (bytes: Uint8Array, worker: PlainWorker) => void = endIfRefused;
const workers = await gather(address, gathering, (bytes, worker) => receive(bytes, worker));
const loop = traffic.kind === "calls" ? calls(traffic) : await events(traffic);
let toCome = warmingMessages + (traffic.kind === "events" && traffic.seen ? traffic.topics : 0);
await loop.run({ inFlight: warmingInFlight * gathering.sessions, goesOn: () => toCome-- > 0 });
tell("ready");
for await (const { seconds, inFlight } of commands<CrowdRound>()) {
  const endMs = performance.now() + seconds * 1000;
  tell("round", await loop.run({ inFlight, goesOn: (nowMs) => nowMs < endMs }));
}
process.exit(0);

function calls(targets: CallTargets) {
  const traffic = new CrowdCalls(workers, targets);
  receive = (bytes, worker) => traffic.receive(bytes, worker);
  return traffic.loop;
}

async function events({ topics, seen }: { readonly topics: number; readonly seen: boolean }) {
  let next = seen ? 0 : topics;
  const pick = () => (next < topics ? next++ : below(topics));
  const publisher = new PlainWorker(address, "publisher");
  await publisher.settled();
  const traffic = new CrowdEvents(publisher, workers, pick);
  receive = (bytes, worker) => traffic.receive(bytes, worker);
  return traffic.loop;
}

function endIfRefused(bytes: Uint8Array): void {
  const frame = decodeFrame(bytes);
  if (frame.kind !== "ack" || frame.success) return;
  console.error(`the host refused: ${frame.error}`);
  process.exit(1);
}
