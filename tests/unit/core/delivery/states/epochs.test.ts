import { expect, test } from "vitest";
import { KeptStates } from "../../../../../src/core/delivery/states/kept-states.ts";
import { type Agent, TroupeError } from "../../../../../src/core/index.ts";
import type { Epoch, KeptCommit, KeptOutcome } from "../../../../../src/core/internal.ts";
import { slotOf } from "../../../../../src/core/state/state-slot.ts";
import { id, Keeper } from "../../../../contract/agent-runtime/keepers.ts";
import { Gate } from "../../../../support/gate.ts";

const epochAt = (number: number): Epoch => ({ generation: 1, era: 1, number });
const [first, second] = [epochAt(1), epochAt(3)];

/** The states of a worker in which the host has placed the agent under an epoch that changes. */
function placedStates(runAhead: number) {
  const place = { epoch: first };
  const asked: (Epoch | undefined)[] = [];
  const commits: KeptCommit[] = [];
  const decided = new Gate();
  const states = new KeptStates({
    keeper: () => ({
      load: async (_agent, { epoch }) => {
        asked.push(epoch);
        return undefined;
      },
      commit: async (commit): Promise<KeptOutcome> => {
        commits.push(commit);
        await decided.opened;
        return { at: "committed", eTag: String(commits.length), revision: commits.length };
      },
      remembered: async () => undefined,
      reminders: async () => [],
      keepsRuns: false,
      readRun: async () => undefined,
      listRuns: async () => ({ runs: [], isLast: true }),
    }),
    refusal: (type) => new TroupeError("not-accessible", type),
    epochOf: () => place.epoch,
    isSequential: () => true,
    runAhead: () => runAhead,
    forget: () => true,
  });
  const turn = (agent: Agent, total: number) => {
    const slot = slotOf(agent);
    if (slot === undefined) throw new Error("the agent keeps a state");
    Object.assign(slot.state, { total });
    return states.commit(slot, { at: "turn" });
  };
  return { place, asked, commits, decided, states, turn };
}

test.each([0, 10])(
  "turns of a shared agent commit under the claim of their activation, also when the agent has come back under another one (runAhead %i)",
  async (runAhead) => {
    const { place, asked, commits, decided, states, turn } = placedStates(runAhead);
    const [old, present] = [new Keeper(() => undefined), new Keeper(() => undefined)];
    await states.load(old, id);
    const turns = [turn(old, 1)];
    place.epoch = second;
    await states.load(present, id);
    turns.push(turn(old, 2));
    decided.open();
    await Promise.all(turns);
    await turn(present, 3);
    expect(asked).toEqual([first, second]);
    expect(commits.map(({ epoch }) => epoch)).toEqual([first, first, second]);
  },
);
