// The program of a store's thread.
import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { AskQueue } from "./ask-queue.ts";
import { copyDatabase, findDamage } from "./copy-and-check.ts";
import { loadDriver } from "./driver.ts";
import type { ThreadMessage, ThreadTask } from "./executor.ts";
import { type MessageToThread, packReplies, repliesTaken, unpackAsks } from "./packed-asks.ts";
import { toStoreError } from "./sqlite-error.ts";
import { StateDatabase } from "./state-database.ts";

// What `startWorker` of executor.ts gives it.
const task = workerData as ThreadTask;

function post(message: ThreadMessage): void {
  const moved = message.at === "replies" ? [message.replies.data.buffer] : [];
  parentPort?.postMessage(message, moved);
}

async function work(): Promise<void> {
  const driver = await loadDriver();
  switch (task.kind) {
    case "backup":
      copyDatabase(driver, task.file, task.target);
      return post({ at: "done", value: [] });
    case "check":
      return post({ at: "done", value: findDamage(driver, task.file) });
    case "serve": {
      const { options } = task;
      const database = new StateDatabase(driver, options);
      const reply = (replies: ThreadMessage & { at: "replies" }) => post(replies);
      const queue = new AskQueue({
        database,
        file: options.file,
        reply: (replies, isFull) => reply({ at: "replies", replies: packReplies(replies), isFull }),
        drain: () => {
          if (parentPort === null) return;
          for (
            let next = receiveMessageOnPort(parentPort);
            next !== undefined;
            next = receiveMessageOnPort(parentPort)
          ) {
            take(next.message);
          }
        },
      });
      const take = (message: MessageToThread): void => {
        if (message === repliesTaken) queue.resume();
        else if ("askId" in message) queue.addMail(message);
        else queue.add(unpackAsks(message));
      };
      parentPort?.on("message", (message: MessageToThread) => {
        take(message);
        queue.run();
      });
      return post({ at: "ready", sqliteVersion: database.sqliteVersion });
    }
  }
}

try {
  await work();
} catch (error) {
  const { storeCode, message } = toStoreError(error, task.kind === "serve" ? task.options.file : task.file);
  post({ at: "failed", failure: { storeCode, message } });
}
