// Orchestrator: one agent keeps a ledger of facts and of what is left to do. It gives each task to the participant that can do it, plans anew
// when nothing moves, and ends the run. The ledger is data of the policy; a model would write it.
import assert from "node:assert/strict";
import { AgentId } from "troupe";
import { type Next, participant, printTeam, RunTeam, Team } from "troupe/teams";
import { play } from "../support/play.ts";
import { speaker } from "../support/speaker.ts";

interface Step {
  readonly who: string;
  readonly what: string;
}

/** Stands for a model that plans. After a failure it asks another participant. */
function plan(failed: readonly string[]): readonly Step[] {
  const source = failed.includes("web") ? "library" : "web";
  return [
    { who: source, what: "Find the height of the tower." },
    { who: "writer", what: "Write one sentence with it." },
  ];
}

/** Follows the plan: the thread tells how far it has come. */
const orchestrate: Next = ({ thread }) => {
  const task = thread.findLastIndex(({ source }) => source === "user");
  const said = thread.slice(task + 1);
  const failed = said.filter(({ content }) => content === "NOT FOUND").map(({ participant }) => participant);
  const done = new Set(said.filter(({ content }) => content !== "NOT FOUND").map(({ participant }) => participant));
  if (failed.length > 2) return []; // nothing moves any more
  const step = plan(failed).find(({ who }) => !done.has(who));
  return step === undefined ? [] : { name: step.who, note: step.what };
};

await play({
  parts: [
    async (runtime) => {
      await speaker(runtime, "web", () => "NOT FOUND");
      await speaker(runtime, "library", () => "52 m");
    },
    async (runtime) => {
      await speaker(runtime, "writer", (heard) => {
        const height = heard.findLast(({ source }) => source === "library")?.content;
        return `The tower is ${height} high.`;
      });
      const participants = [
        participant("web", "looks things up in the web"),
        participant("library", "looks things up in books"),
        participant("writer", "writes"),
      ];
      await Team.register(runtime, "orchestra", () => new Team({ participants, next: orchestrate }));
    },
  ],
  story: async (runtime) => {
    const stream = runtime.stream(RunTeam({ task: "How high is the tower?" }), new AgentId("orchestra", "tower"));
    const { messages, stop_reason } = await printTeam(stream);
    assert.deepEqual(
      messages.map(({ source }) => source),
      ["user", "web", "library", "writer"],
    );
    assert.equal(messages.at(-1)?.content, "The tower is 52 m high.");
    assert.equal(stop_reason, "No participant was chosen to speak.");
  },
});
