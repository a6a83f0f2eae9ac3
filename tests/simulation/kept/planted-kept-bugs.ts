import { AgentId, handlerTable, type MessageContext, type Sendable, type TopicId } from "../../../src/core/index.ts";
import { type Commit, type CommitOutcome, type StateStore, StoreError } from "../../../src/core/internal.ts";
import { encodeFrame } from "../../../src/protocol/index.ts";
import { meddler, type PlantedBug } from "../planting.ts";
import { KeptAgent } from "./kept-agent.ts";
import { Look } from "./messages.ts";

/** A store with some methods in place of its own. */
function changed(store: StateStore, methods: Partial<StateStore>): StateStore {
  return new Proxy(store, {
    get: (target, name) => {
      const own: unknown = Reflect.get(methods, name);
      const value: unknown = own ?? Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(own === undefined ? target : methods) : value;
    },
  });
}

/** A store that sees each commit as this function makes it. */
function meddling(change: (commit: Commit) => Commit): (store: StateStore) => StateStore {
  return (store) => changed(store, { commit: (commits) => store.commit(commits.map(change)) });
}

/** Says that it has written before it has. */
function answersEarly(store: StateStore): StateStore {
  /** What each made-up eTag stands for, once that is known. */
  const real = new Map<string, Promise<CommitOutcome | undefined>>();
  let made = 0;
  const translated = async (commit: Commit): Promise<Commit> => {
    if (commit.expected.at !== "version") return commit;
    const outcome = await real.get(commit.expected.eTag);
    if (outcome?.at !== "committed") return commit;
    return { ...commit, expected: { at: "version", eTag: outcome.eTag } };
  };
  return changed(store, {
    commit: async (commits) =>
      commits.map((commit) => {
        made += 1;
        const eTag = `made-up-${made}`;
        const written = translated(commit).then(async (one) => (await store.commit([one]))[0]);
        real.set(
          eTag,
          written.catch(() => undefined),
        );
        return { at: "committed", eTag, revision: made } as const;
      }),
  });
}

/** Says of every seventh commit that it is written, and forgets it. */
function forgets(store: StateStore): StateStore {
  let count = 0;
  return changed(store, {
    commit: async (commits) => {
      count += 1;
      if (count % 7 !== 0) return store.commit(commits);
      return commits.map(() => ({ at: "committed", eTag: `forgotten-${count}`, revision: 1 }));
    },
  });
}

/** Takes the store back from the opening that has fenced it, and compares nothing. */
function takesBack(store: StateStore): StateStore {
  const anything = (commit: Commit): Commit => ({ ...commit, expected: { at: "anything" }, epoch: undefined });
  const commit = async (commits: readonly Commit[]) => {
    try {
      return await store.commit(commits.map(anything));
    } catch (error) {
      if (!(error instanceof StoreError) || error.storeCode !== "fenced") throw error;
      await store.open({ takesOver: true });
      return store.commit(commits.map(anything));
    }
  };
  return changed(store, { commit });
}

/** Takes each reminder out of the store before it fires. */
function settlesEarly(store: StateStore): StateStore {
  return changed(store, {
    due: async (query) => {
      const due = await store.due(query);
      const over = { nextDueMs: undefined, attempts: 0 };
      const ticks = due.map(({ agent, name, seq }) => ({ agent, name, seq, ...over }));
      await store.settle({ ticks, mail: [] });
      return due;
    },
  });
}

const strippedCancels = meddling((commit) => ({
  ...commit,
  reminders: commit.reminders.filter(({ at }) => at !== "cancel"),
}));
const strippedMail = meddling((commit) => ({ ...commit, mail: [] }));

class TellsAtOnce extends KeptAgent {
  override tell<Message>(message: Sendable<Message>, recipient: AgentId): Promise<void> {
    const other = new AgentId(`type-${this.seat}`, "news");
    return this.runtime.tell<Message>(message, recipient, { sender: other });
  }
}

class PublishesAtOnce extends KeptAgent {
  override publishMessage<Message>(message: Sendable<Message>, topicId: TopicId): Promise<void> {
    return super.publishMessage<Message>(message, topicId, { immediately: true });
  }
}

/** The lines of turns that failed come back with the next one. */
class KeepsFailedLines extends KeptAgent {
  readonly #failed: string[] = [];

  override async call(name: string, context: MessageContext, isReading: boolean) {
    if (isReading) return super.call(name, context, isReading);
    const count = this.state.list.length;
    try {
      const answer = await super.call(name, context, isReading);
      this.state.list.push(...this.#failed.splice(0));
      return answer;
    } catch (error) {
      this.#failed.push(...this.state.list.slice(count, count + 1));
      throw error;
    }
  }
}

/** What nested turns have written is gone when the outer one ends. */
class RollsBackTooFar extends KeptAgent {
  override async call(name: string, context: MessageContext, isReading: boolean) {
    if (isReading) return super.call(name, context, isReading);
    const count = this.state.list.length;
    const answer = await super.call(name, context, isReading);
    this.state.list.splice(count + 1);
    return answer;
  }
}

/** Reading handlers run beside any other. */
class ReadsAnyTime extends KeptAgent {
  static override readonly handlers = handlerTable<KeptAgent>()
    .rpc(
      Look,
      function ({ call }, context) {
        return this.call(call, context, true);
      },
      { readOnly: true, interleaves: true },
    )
    .including({ handlers: KeptAgent.handlers.handlers.filter(({ types }) => !types.includes(Look)) });
}

/** Each answer of every fifth call to a persistent agent says that its worker is gone. */
const failsWhatIsWritten = () =>
  meddler("response", 5, (frame, pass) =>
    pass(encodeFrame({ ...frame, payload: undefined, error: "gone", metadata: { agerrorcode: "disconnected" } })),
  );

export const plantedKeptBugs: readonly PlantedBug[] = [
  {
    name: "a host that answers before the store has written",
    plant: { aroundStore: answersEarly },
    caughtBy: ["state"],
  },
  { name: "a store that forgets commits", plant: { aroundStore: forgets }, caughtBy: ["state"] },
  {
    name: "a store that compares no eTags",
    plant: { aroundStore: meddling((commit) => ({ ...commit, expected: { at: "anything" } })) },
    caughtBy: ["versions", "state"],
  },
  {
    name: "a host that takes its store back and compares neither eTags nor epochs",
    plant: { aroundStore: takesBack },
    always: ["second-host"],
    caughtBy: ["versions", "state"],
  },
  {
    name: "a host that says of calls that were written that their worker is gone",
    plant: { atHost: failsWhatIsWritten },
    caughtBy: ["unchanged"],
  },
  {
    name: "a store that remembers no messages",
    plant: { aroundStore: (store) => changed(store, { remembered: async () => undefined }) },
    caughtBy: ["once"],
  },
  { name: "a store that keeps no mail", plant: { aroundStore: strippedMail }, caughtBy: ["told"] },
  {
    name: "a host that settles reminders before they are handled",
    plant: { aroundStore: settlesEarly },
    caughtBy: ["reminders"],
  },
  {
    name: "a host that fires reminders again and again",
    plant: { aroundStore: (store) => changed(store, { settle: async () => undefined }) },
    caughtBy: ["leftovers"],
  },
  {
    name: "a store that cancels no reminders",
    plant: { aroundStore: strippedCancels },
    caughtBy: ["reminders", "leftovers"],
  },
  {
    name: "agents whose told messages leave before the commit",
    plant: { keptClass: TellsAtOnce },
    caughtBy: ["effects"],
  },
  { name: "agents whose events leave before the commit", plant: { keptClass: PublishesAtOnce }, caughtBy: ["effects"] },
  { name: "agents whose failed turns are not undone", plant: { keptClass: KeepsFailedLines }, caughtBy: ["state"] },
  {
    name: "agents whose nested turns are undone with the outer one",
    plant: { keptClass: RollsBackTooFar },
    caughtBy: ["versions"],
  },
  { name: "agents that read beside a turn that writes", plant: { keptClass: ReadsAnyTime }, caughtBy: ["turns"] },
  {
    name: "a worker that gives back no message of an agent that leaves",
    plant: { atWorker: () => meddler("returned", 1, () => true) },
    caughtBy: ["outcomes", "failures", "recovery", "crash"],
  },
  {
    name: "a worker that never says that its agents have left",
    plant: { atWorker: () => meddler("left", 1, () => true) },
    caughtBy: ["outcomes", "failures", "recovery", "crash", "leftovers"],
  },
  {
    name: "a host that does not tell workers to let agents go",
    plant: { atHost: () => meddler("leave", 1, () => true) },
    caughtBy: ["outcomes", "failures", "recovery", "crash", "leftovers"],
  },
  { name: "agents that come back to life", plant: { reusesAgents: true }, caughtBy: ["life"] },
  {
    name: "a worker that keeps idle agents, and more than its cap",
    plant: { keepsAll: true },
    caughtBy: ["leftovers"],
  },
];
