// Multi-agent debate: solvers answer, read the answers of their neighbours, and answer again. After some rounds the majority counts.
import assert from "node:assert/strict";
import { AgentId } from "troupe";
import { participant, RunTeam, Team } from "troupe/teams";
import { play } from "../support/play.ts";
import { type Say, speaker } from "../support/speaker.ts";

const solvers = ["ada", "ben", "cleo", "dan"];
const rounds = 3;

/** Stands for a model that starts with an answer of its own and lets itself be convinced by two equal ones. */
const solver =
  (first: string): Say =>
  (heard) => {
    const answers = heard.filter(({ source }) => solvers.includes(source)).map(({ content }) => content);
    return answers.find((answer) => answers.filter((other) => other === answer).length > 1) ?? first;
  };

function majorityOf(answers: readonly string[]): string | undefined {
  const votes = new Map<string, number>();
  for (const answer of answers) votes.set(answer, (votes.get(answer) ?? 0) + 1);
  return [...votes].sort(([, one], [, other]) => other - one)[0]?.[0];
}

await play({
  parts: [
    async (runtime) => {
      await speaker(runtime, "ada", solver("42"));
      await speaker(runtime, "ben", solver("42"));
      await speaker(runtime, "cleo", solver("41"));
    },
    async (runtime) => {
      await speaker(runtime, "dan", solver("40"));
      const participants = solvers.map((name) => participant(name, "solves"));
      const options = { participants, next: () => solvers, maxTurns: rounds };
      await Team.register(runtime, "debate", () => new Team(options));
    },
  ],
  story: async (runtime) => {
    const debate = new AgentId("debate", "problem-1");
    const { messages } = await runtime.sendMessage(RunTeam({ task: "What is six times seven?" }), debate);
    for (let round = 0; round < rounds; round += 1) {
      const said = messages.slice(1 + round * solvers.length, 1 + (round + 1) * solvers.length);
      console.log(`round ${round + 1}: ${said.map(({ source, content }) => `${source} ${content}`).join(", ")}`);
    }
    assert.equal(majorityOf(messages.slice(-solvers.length).map(({ content }) => content)), "42");
  },
});
