/** Runs one task at a time for each name, in the order in which they came. */
export class TurnByName {
  readonly #last = new Map<string, Promise<unknown>>();

  /** Names with a task that has not ended. */
  get size(): number {
    return this.#last.size;
  }

  has(name: string): boolean {
    return this.#last.has(name);
  }

  /** Runs a task when those before it have ended, however. */
  run<T>(name: string, task: () => Promise<T>): Promise<T> {
    const before = this.#last.get(name);
    const running = before === undefined ? task() : before.then(task, task);
    this.#last.set(name, running);
    const ended = () => {
      if (this.#last.get(name) === running) this.#last.delete(name);
    };
    running.then(ended, ended);
    return running;
  }
}
