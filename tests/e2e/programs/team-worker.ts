import { handlerTable, RoutedAgent } from "troupe";
import { GrpcWorkerAgentRuntime } from "troupe/grpc";
import { participant, roundRobin, TakeTurn, Team, TurnTaken } from "troupe/teams";

/** A worker with a team, or with one participant of it. A participant that hangs prints "asked" and answers no turn. */
class Speaker extends RoutedAgent {
  static override readonly handlers = handlerTable<Speaker>().rpc(TakeTurn, ({ messages }) => {
    console.log("asked");
    if (hangs === "hangs") return new Promise<never>(() => {});
    return TurnTaken({ content: `heard ${messages.length}` });
  });
}

const [address = "", type = "", hangs] = process.argv.slice(2);
const worker = new GrpcWorkerAgentRuntime(address);
await worker.start();
if (type === "team") {
  const participants = [participant("writer", "writes"), participant("critic", "finds mistakes")];
  await Team.register(worker, type, () => new Team({ participants, next: roundRobin(), maxTurns: 2 }));
} else {
  await Speaker.register(worker, type, () => new Speaker("speaks"));
}
const stopped = worker.stopWhenSignal();
console.log("ready");
await stopped;
