// Group chat: a model chooses who speaks next, and the editor's approval ends the run.
import assert from "node:assert/strict";
import { AgentId } from "troupe";
import { any, maxMessages, mention, participant, printTeam, RunTeam, selector, Team } from "troupe/teams";
import { play } from "../support/play.ts";
import { speaker } from "../support/speaker.ts";

/** Stands for a model that reads the question and names a participant. */
function chooser() {
  const names = ["The writer should begin.", "illustrator", "editor", "writer", "editor"];
  return () => names.shift() ?? "editor";
}

await play({
  parts: [
    async (runtime) => {
      await speaker(runtime, "writer", (heard) =>
        heard.some(({ source }) => source === "editor") ? "A dragon lives in Lisbon." : "A dragon.",
      );
      await speaker(runtime, "illustrator", () => "[a picture of a dragon]");
      await speaker(runtime, "editor", (heard) =>
        heard.some(({ content }) => content.includes("Lisbon")) ? "APPROVE" : "Where does it live?",
      );
    },
    async (runtime) => {
      const options = {
        participants: [
          participant("writer", "writes the story"),
          participant("illustrator", "draws pictures"),
          participant("editor", "plans, and approves at the end"),
        ],
        next: selector(chooser()),
        until: any(mention("APPROVE"), maxMessages(10)),
      };
      await Team.register(runtime, "book", () => new Team(options));
    },
  ],
  story: async (runtime) => {
    const stream = runtime.stream(RunTeam({ task: "A short story about a dragon" }), new AgentId("book", "dragon"));
    const { messages, stop_reason } = await printTeam(stream);
    assert.deepEqual(
      messages.map(({ source }) => source),
      ["user", "writer", "illustrator", "editor", "writer", "editor"],
    );
    assert.equal(stop_reason, "Text 'APPROVE' mentioned");
  },
});
