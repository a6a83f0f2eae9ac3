// Counts the checks of a tool and ends it with the project's closing line.

/** Prints each check as it ends; `close` prints `N passed, N failed, N skipped` and gives the exit code. */
export class Tally {
  #passed = 0;
  #failed = 0;
  #skipped = 0;

  passed(name) {
    this.#passed++;
    console.log(`ok      ${name}`);
  }

  failed(name, why) {
    this.#failed++;
    console.error(`FAILED  ${name}: ${why}`);
  }

  skipped(name, why) {
    this.#skipped++;
    console.log(`skipped ${name}: ${why}`);
  }

  /** Counts the check by the outcome of a program. */
  count(name, { code, output }) {
    if (code === 0) this.passed(name);
    else this.failed(name, `\n${output}`);
  }

  close() {
    console.log(`${this.#passed} passed, ${this.#failed} failed, ${this.#skipped} skipped`);
    return this.#failed === 0 ? 0 : 1;
  }
}
