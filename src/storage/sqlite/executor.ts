import { Worker } from "node:worker_threads";
import { errorText, nextTurn, StoreError } from "../../core/internal.ts";
import { AskQueue } from "./ask-queue.ts";
import type { Ask, DatabaseOptions, Reply, StoreFailure } from "./asks.ts";
import type { SqliteDriver } from "./driver.ts";
import type { MailPart } from "./mail-parts.ts";
import { type PackedReplies, packAsks, repliesTaken, unpackReplies } from "./packed-asks.ts";
import { StateDatabase } from "./state-database.ts";

/** Answers the questions of a store. */
export interface Executor {
  /** The version of SQLite: `3.53.0`. */
  readonly sqliteVersion: string;
  /** Takes questions; their replies come later, not in their order. */
  send(asks: readonly Ask[]): void;
  /** Takes mail of a question that is sent later. */
  sendMail(part: MailPart): void;
  /** Whether the process lives on for what it does. */
  keepAlive(isWanted: boolean): void;
  /** Ends what `close` has left. */
  stop(): Promise<void>;
}

/** Calls of an executor on its store. */
export interface ExecutorEvents {
  readonly onReplies: (replies: readonly Reply[]) => void;
  /** It has ended by itself. What was sent and not answered has no reply. */
  readonly onLost: (error: StoreError) => void;
}

/** Work that is given to a thread. */
export type ThreadTask =
  | { readonly kind: "serve"; readonly options: DatabaseOptions }
  | { readonly kind: "backup"; readonly file: string; readonly target: string }
  | { readonly kind: "check"; readonly file: string };

/** A message of a thread. */
export type ThreadMessage =
  | { readonly at: "ready"; readonly sqliteVersion: string }
  /** `isFull`: the thread waits for `repliesTaken`. */
  | { readonly at: "replies"; readonly replies: PackedReplies; readonly isFull: boolean }
  | { readonly at: "done"; readonly value: readonly string[] }
  | { readonly at: "failed"; readonly failure: StoreFailure };

/** The program of the thread: this file's neighbour, as JavaScript in the package and as TypeScript in its source. */
export const defaultThreadFile = new URL(
  import.meta.url.endsWith(".ts") ? "./thread.ts" : "./thread.js",
  import.meta.url,
);

/** Answers in the thread of its caller, which waits for the disk meanwhile. Throws a `StoreError`. */
export function createDirectExecutor(driver: SqliteDriver, options: DatabaseOptions, events: ExecutorEvents): Executor {
  const database = new StateDatabase(driver, options);
  const queue = new AskQueue({
    database,
    file: options.file,
    reply: (replies, isFull) => {
      events.onReplies(replies);
      // Those who asked have their answers before the next turn.
      if (isFull) void nextTurn().then(goOn);
    },
    drain: () => undefined,
  });
  const goOn = (): void => {
    queue.resume();
    queue.run();
  };
  return {
    sqliteVersion: database.sqliteVersion,
    send: (asks) => {
      queue.add(asks);
      queue.run();
    },
    sendMail: (part) => queue.addMail(part),
    keepAlive: () => undefined,
    stop: async () => undefined,
  };
}

/** Starts a thread that answers. Rejects with a `StoreError` if it can't open the file. */
export function startThreadExecutor(
  threadFile: URL,
  options: DatabaseOptions,
  { onReplies, onLost }: ExecutorEvents,
): Promise<Executor> {
  const worker = startWorker(threadFile, { kind: "serve", options });
  let isStopped = false;
  const executor = {
    send: (asks: readonly Ask[]) => {
      const packed = packAsks(asks);
      worker.postMessage(packed, [packed.data.buffer]);
    },
    sendMail: (part: MailPart) => worker.postMessage(part, [part.data.buffer]),
    keepAlive: (isWanted: boolean) => (isWanted ? worker.ref() : worker.unref()),
    stop: async () => {
      isStopped = true;
      await worker.terminate();
    },
  };
  return new Promise((resolve, reject) => {
    let isReady = false;
    let cause: unknown;
    worker.on("message", (message: ThreadMessage) => {
      if (message.at === "ready") {
        isReady = true;
        resolve({ ...executor, sqliteVersion: message.sqliteVersion });
      } else if (message.at === "replies") {
        onReplies(unpackReplies(message.replies));
        if (message.isFull) worker.postMessage(repliesTaken);
      } else if (message.at === "failed") {
        isStopped = true;
        reject(toError(message.failure));
      }
    });
    worker.on("error", (error) => {
      cause = error;
    });
    worker.on("exit", (code) => {
      if (isStopped) return;
      const lost = lostError(cause, code);
      if (isReady) onLost(lost);
      else reject(lost);
    });
  });
}

/** Runs one task in a thread of its own. */
export function runInThread(threadFile: URL, task: ThreadTask): Promise<readonly string[]> {
  const worker = startWorker(threadFile, task);
  return new Promise((resolve, reject) => {
    worker.on("message", (message: ThreadMessage) => {
      if (message.at === "done") resolve(message.value);
      if (message.at === "failed") reject(toError(message.failure));
    });
    worker.on("error", (error) => reject(lostError(error, 1)));
    worker.on("exit", (code) => reject(lostError(undefined, code)));
  });
}

/** Makes the error of a failure that came from a thread. */
export function toError({ storeCode, message }: StoreFailure): StoreError {
  return new StoreError(storeCode, message);
}

function startWorker(threadFile: URL, task: ThreadTask): Worker {
  return new Worker(threadFile, { workerData: task, name: "troupe-sqlite" });
}

function lostError(cause: unknown, code: number): StoreError {
  const reason = cause === undefined ? `it ended with ${code}` : errorText(cause);
  return new StoreError("unavailable", `The thread of the state store is lost: ${reason}. The store starts another.`, {
    cause,
  });
}
