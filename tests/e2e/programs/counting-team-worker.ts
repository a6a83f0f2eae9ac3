import { appendFileSync } from "node:fs";
import { GrpcWorkerAgentRuntime } from "troupe/grpc";
import { maxMessages, participant, roundRobin, Team } from "troupe/teams";

// Serves the type "newsroom" at a host, ADDRESS: a team of two that asks the writer by runs. It counts in FILE whom it chooses.
const [, , address = "", file = ""] = process.argv;
const worker = new GrpcWorkerAgentRuntime(address);
await worker.start();
const inTurn = roundRobin();
const make = () =>
  new Team({
    participants: [participant("writer", "writes", { run: true }), participant("critic", "judges")],
    next: (turn) => {
      const chosen = inTurn(turn);
      appendFileSync(file, `choose ${String(chosen)}\n`);
      return chosen;
    },
    until: maxMessages(5),
    shareChunks: true,
  });
await Team.register(worker, "newsroom", make);
console.log("serving");
