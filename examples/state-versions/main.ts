// State versions: an agent's state changes its shape twice, and what older programs stored comes along. Shows `version` and `migrations` of
// a state, and when a migrated state is stored. An older program does not touch the state of a newer one.
import assert from "node:assert/strict";
import { AgentId, defineMessage, defineState, handlerTable, persistentAgent, SingleThreadedAgentRuntime } from "troupe";
import { MemoryStateStore } from "troupe/storage";
import { z } from "zod";

const Profile = defineMessage("Profile", z.object({ text: z.string() }));
const Rename = defineMessage("Rename", z.object({ name: z.string() }), { answer: Profile });
const AskProfile = defineMessage("AskProfile", z.object({}), { answer: Profile });

// Version 1: a name.
const StateOne = defineState(z.object({ name: z.string() }), { initial: { name: "" } });

// Version 2: the name in two parts. The migration `1` makes a state of version 2 from one of version 1.
const splitName = ({ name }: { name: string }) => {
  const [first = "", ...rest] = name.split(" ");
  return { first, last: rest.join(" ") };
};
const StateTwo = defineState(z.object({ first: z.string(), last: z.string() }), {
  version: 2,
  initial: { first: "", last: "" },
  migrations: { 1: splitName },
});

// Version 3: with languages. It keeps the first migration, since states of version 1 may still be there.
const StateThree = defineState(z.object({ first: z.string(), last: z.string(), languages: z.array(z.string()) }), {
  version: 3,
  initial: { first: "", last: "", languages: [] },
  migrations: { 1: splitName, 2: (old: { first: string; last: string }) => ({ ...old, languages: ["en"] }) },
});

class PersonOne extends persistentAgent(StateOne) {
  static override readonly handlers = handlerTable<PersonOne>().rpc(Rename, function ({ name }) {
    this.state.name = name;
    return Profile({ text: name });
  });
}

class PersonTwo extends persistentAgent(StateTwo) {
  static override readonly handlers = handlerTable<PersonTwo>().rpc(Rename, function ({ name }) {
    Object.assign(this.state, splitName({ name }));
    return Profile({ text: `${this.state.last}, ${this.state.first}` });
  });
}

class PersonThree extends persistentAgent(StateThree) {
  static override readonly handlers = handlerTable<PersonThree>()
    .rpc(Rename, function ({ name }) {
      Object.assign(this.state, splitName({ name }));
      return Profile({ text: this.describe() });
    })
    .rpc(
      AskProfile,
      function () {
        return Profile({ text: this.describe() });
      },
      { readOnly: true },
    );

  describe(): string {
    const { first, last, languages } = this.state;
    return `${last}, ${first} (${languages.join(", ")})`;
  }
}

/** One store under all programs, as a file or a database would be. */
await using stateStore = new MemoryStateStore();
const ada = new AgentId("person", "ada");
const grace = new AgentId("person", "grace");

/** One program: a runtime with one version of the class, until its messages are handled. */
async function run(
  register: (runtime: SingleThreadedAgentRuntime) => Promise<unknown>,
  use: (runtime: SingleThreadedAgentRuntime) => Promise<void>,
) {
  await using runtime = new SingleThreadedAgentRuntime({ stateStore });
  await runtime.start();
  await register(runtime);
  await use(runtime);
}
const one = (runtime: SingleThreadedAgentRuntime) => PersonOne.register(runtime, "person", () => new PersonOne("one"));
const two = (runtime: SingleThreadedAgentRuntime) => PersonTwo.register(runtime, "person", () => new PersonTwo("two"));
const three = (runtime: SingleThreadedAgentRuntime) =>
  PersonThree.register(runtime, "person", () => new PersonThree("three"));

await run(one, async (runtime) => {
  await runtime.sendMessage(Rename({ name: "Ada Byron" }), ada);
  await runtime.sendMessage(Rename({ name: "Grace Hopper" }), grace);
  console.log("the first program stores", await runtime.agentSaveState(ada), await runtime.agentSaveState(grace));
});

await run(two, async (runtime) => {
  const { text } = await runtime.sendMessage(Rename({ name: "Ada Lovelace" }), ada);
  console.log(`the second program renames Ada: ${text}`);
  assert.equal(text, "Lovelace, Ada");
});

await run(three, async (runtime) => {
  const profiles = await Promise.all([ada, grace].map((id) => runtime.sendMessage(AskProfile({}), id)));
  const texts = profiles.map(({ text }) => text);
  console.log(`the third program reads Ada's state of version 2 and Grace's of version 1: ${texts.join(" · ")}`);
  assert.deepEqual(texts, ["Lovelace, Ada (en)", "Hopper, Grace (en)"]);
  await runtime.sendMessage(Rename({ name: "Grace Murray Hopper" }), grace); // the next change stores version 3
});

await run(two, async (runtime) => {
  await runtime.sendMessage(Rename({ name: "Ada King" }), ada); // was only read by the third program: still version 2
  await assert.rejects(runtime.sendMessage(Rename({ name: "G. Hopper" }), grace), (error: Error) => {
    console.log(`the second program meets Grace's state: ${error.message}`);
    return "code" in error && error.code === "state-too-new";
  });
});
