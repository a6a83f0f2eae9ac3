import type { Commit, CommitOutcome, StoreErrorCode } from "../../src/core/internal.ts";
import { MemoryStateStore, StoreError } from "../../src/storage/index.ts";
import { Inbox } from "./inbox.ts";

interface HeldCommit {
  readonly commit: Commit;
  /** Lets the store write it. */
  write(): void;
  /** The store fails. */
  fail(code: StoreErrorCode): void;
}

/** A store in memory that writes each commit when the test says so. */
export class GatedStore extends MemoryStateStore {
  /** Commits that the store was given. */
  readonly commits = new Inbox<HeldCommit>();
  #isOpen = false;

  /** From now on the store writes at once. */
  openGate(): void {
    this.#isOpen = true;
  }

  override async commit(commits: readonly Commit[]): Promise<readonly CommitOutcome[]> {
    const [commit] = commits;
    if (this.#isOpen || commit === undefined) return super.commit(commits);
    await new Promise<void>((write, reject) => {
      const fail = (code: StoreErrorCode): void => reject(new StoreError(code, `agents.db: ${code}`));
      this.commits.put({ commit, write, fail });
    });
    return super.commit(commits);
  }
}
