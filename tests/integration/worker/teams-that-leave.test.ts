import { AgentId, handlerTable, RoutedAgent } from "troupe";
import { MemoryStateStore } from "troupe/storage";
import { maxMessages, participant, RunTeam, roundRobin, TakeTurn, Team, TurnTaken } from "troupe/teams";
import { expect, test } from "vitest";
import { startTestHost } from "../../../src/testing/index.ts";
import { WorkerRuntime } from "../../../src/worker/index.ts";
import { Gate } from "../../support/gate.ts";
import { Opened } from "../../support/opened.ts";

const team = new AgentId("team", "t1");

test.each([[true], [false]])(
  "a team finishes its turn when its worker stops, and its run continues at the next one (shared: %s)",
  async (shared) => {
    await using opened = new Opened();
    const stateStore = opened.use(new MemoryStateStore());
    const host = opened.use(await startTestHost({ stateStore, sharedTypes: shared ? ["team"] : [] }));
    const join = async () => {
      const worker = opened.use(new WorkerRuntime({ ...host }));
      await worker.start();
      worker.addMessageSerializer([RunTeam, TakeTurn, TurnTaken]);
      return worker;
    };
    const [caller, speakers] = [await join(), await join()];
    const [begun, goOn] = [new Gate(), new Gate()];
    let turns = 0;
    class Speaker extends RoutedAgent {
      static override readonly handlers = handlerTable<Speaker>().rpc(TakeTurn, async () => {
        turns += 1;
        begun.open();
        await goOn.opened;
        return TurnTaken({ content: `turn ${turns}` });
      });
    }
    for (const name of ["a", "b"]) await Speaker.register(speakers, name, () => new Speaker("speaks"));
    const chosen: string[] = [];
    const serve = async (by: string) => {
      const worker = await join();
      const inTurn = roundRobin();
      const next: typeof inTurn = (turn) => {
        chosen.push(by);
        return inTurn(turn);
      };
      const participants = [participant("a", "one"), participant("b", "other")];
      const make = () => new Team({ participants, next, until: maxMessages(3) });
      await Team.register(worker, "team", make, shared ? { shared: true } : {});
      return worker;
    };
    const worker = await serve("first");
    const run = await caller.startRun(RunTeam({ task: "go" }), team, { id: "r" });
    await begun.opened;
    const stopped = worker.stop();
    if (shared) await serve("next");
    goOn.open();
    await stopped;
    if (!shared) await serve("next");
    const { messages } = await run.answer();
    expect(messages.map(({ content }) => content)).toEqual(["go", "turn 1", "turn 2"]);
    expect(chosen).toEqual(["first", "next"]);
    expect(turns).toBe(2);
  },
);
