// Chat rooms: one agent for each room, over three workers that share the type. Each room is in one worker. The rooms of a worker
// that stops go on in the others, with all that was said, because the host keeps their states.
import assert from "node:assert/strict";
import { AgentId } from "troupe";
import { GrpcWorkerAgentRuntime, GrpcWorkerAgentRuntimeHost } from "troupe/grpc";
import { startProgram } from "../support/processes.ts";
import { Say } from "./messages.ts";

await using host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0"); // keeps states in memory
await host.start();
await using one = startWorker("rooms-1");
await using two = startWorker("rooms-2");
await using three = startWorker("rooms-3");
for (const worker of [one, two, three]) await worker.line("ready");

await using caller = new GrpcWorkerAgentRuntime(host.address);
await caller.start();
const rooms = [
  "tea",
  "coffee",
  "music",
  "chess",
  "garden",
  "books",
  "films",
  "trains",
  "stars",
  "maps",
  "bread",
  "ships",
];
const say = (room: string, who: string, text: string) =>
  caller.sendMessage(Say({ who, text }), new AgentId("room", room), { waitForTarget: 10_000 });
/** Says it everywhere at once. Resolves to all answers, in the order of `rooms`. */
const sayEverywhere = (who: string, text: string) => Promise.all(rooms.map((room) => say(room, who, text)));

const hellos = await sayEverywhere("Ada", "hello");
const places = new Map(rooms.map((room, i) => [room, hellos[i]?.worker ?? ""]));
for (const name of ["rooms-1", "rooms-2", "rooms-3"]) {
  const here = rooms.filter((room) => places.get(room) === name);
  console.log(`${name} has ${here.join(", ")}`);
  assert(here.length > 0);
}

const replies = await sayEverywhere("Grace", "hi Ada");
for (const [i, { worker, lines }] of replies.entries()) {
  assert.equal(worker, places.get(rooms[i] ?? "")); // the same agent as before
  assert.deepEqual(lines, ["Ada: hello", "Grace: hi Ada"]);
}

// What the stopped worker had goes to the others, which read what the host has kept of them. No call fails meanwhile.
const [code, partings] = await Promise.all([two.stop(), sayEverywhere("Ada", "bye")]);
assert.equal(code, 0);
const afterwards = await sayEverywhere("Grace", "bye");
for (const { lines } of partings) assert.equal(lines.length, 3);
for (const [i, { worker, lines }] of afterwards.entries()) {
  const before = places.get(rooms[i] ?? "");
  assert(before === "rooms-2" ? worker !== "rooms-2" : worker === before);
  assert.deepEqual(lines, ["Ada: hello", "Grace: hi Ada", "Ada: bye", "Grace: bye"]);
}
const moved = rooms.flatMap((room, i) =>
  places.get(room) === "rooms-2" ? [`${room} → ${afterwards[i]?.worker}`] : [],
);
console.log(`rooms-2 has stopped, and its rooms have moved: ${moved.join(", ")}`);

await caller.stop();
assert.deepEqual([await one.stop(), await three.stop()], [0, 0]);

function startWorker(name: string) {
  const file = import.meta.filename.replace(/main(\.\w+)$/, "worker$1");
  return startProgram(file, [name, host.address], { onLine: (line) => console.log(`${name}: ${line}`) });
}
