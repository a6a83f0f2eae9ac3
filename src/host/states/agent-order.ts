import { type AgentName, ChurnedMap, textOfName } from "../../core/internal.ts";

type Task = () => Promise<void>;

/** Runs one task of an agent at a time, in the order in which they came. Tasks of different agents do not wait for each other. */
export class AgentOrder {
  /** Of each agent with a running task: those that wait. */
  readonly #waiting = new ChurnedMap<string, Task[]>();

  /** `task` must not reject. */
  run(agent: AgentName, task: Task): void {
    const name = textOfName(agent);
    const waiting = this.#waiting.get(name);
    if (waiting !== undefined) {
      waiting.push(task);
      return;
    }
    this.#waiting.set(name, []);
    void this.#start(name, task);
  }

  async #start(name: string, first: Task): Promise<void> {
    for (let task: Task | undefined = first; task !== undefined; task = this.#waiting.get(name)?.shift()) await task();
    this.#waiting.delete(name);
  }
}
