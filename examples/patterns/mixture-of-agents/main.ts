// Mixture of agents: layers of agents answer the same question at once. Each layer sees the answers of the one before, and the last agent
// makes one answer of them. Layers are turns of a team in which several participants speak together.
import assert from "node:assert/strict";
import { AgentId } from "troupe";
import { type Next, participant, printTeam, RunTeam, Team } from "troupe/teams";
import { play } from "../support/play.ts";
import { type Say, speaker } from "../support/speaker.ts";

const workers = ["optimist", "pessimist", "realist"];
const layers = 2;

/** The workers together for each layer, then the aggregator. */
const next: Next = ({ turns }) => {
  if (turns < layers) return workers.map((name) => ({ name, note: `layer ${turns + 1}` }));
  return turns === layers ? "aggregator" : [];
};

/** Stands for a model that improves its answer by those of the others. */
const answer =
  (opinion: string): Say =>
  (heard, note) =>
    note === "layer 1" ? opinion : `${opinion}, and I have read ${heard.length}`;

await play({
  parts: [
    async (runtime) => {
      for (const name of workers) await speaker(runtime, name, answer(name));
    },
    async (runtime) => {
      await speaker(runtime, "aggregator", (heard) => {
        const last = heard.slice(-workers.length).map(({ content }) => content);
        return last.join(" | ");
      });
      const members = [...workers, "aggregator"].map((name) => participant(name, "answers"));
      await Team.register(runtime, "mixture", () => new Team({ participants: members, next }));
    },
  ],
  story: async (runtime) => {
    const stream = runtime.stream(RunTeam({ task: "Will it rain?" }), new AgentId("mixture", "q1"));
    const { messages } = await printTeam(stream);
    assert.equal(messages.length, 1 + layers * workers.length + 1);
    assert.equal(
      messages.at(-1)?.content,
      "optimist, and I have read 2 | pessimist, and I have read 2 | realist, and I have read 2",
    );
  },
});
