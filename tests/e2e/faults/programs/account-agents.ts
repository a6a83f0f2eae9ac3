import { once } from "node:events";
import process from "node:process";
import {
  AgentId,
  type AgentRuntime,
  defineState,
  handlerTable,
  persistentAgent,
  TopicId,
  TypeSubscription,
} from "troupe";
import { z } from "zod";
import { Add, Added, AddSlowly, Changed, Due, Lines, Noted, Read, topicType } from "./account-messages.ts";

let activations = 0;

/**
 * Registers three shared types of persistent agents. An account adds entries, publishes each to its watcher, may tell it to its auditor, and may
 * remind itself of it. Each of them writes down which activation has written what.
 */
export async function registerAccounts(worker: AgentRuntime, version = "1"): Promise<void> {
  const schema = z.object({ lines: z.array(z.string()) });
  /** The migration to version 2 leaves a line. */
  const Written =
    version === "1"
      ? defineState(schema, { initial: { lines: [] } })
      : defineState(schema, {
          ...{ version: 2, initial: { lines: [] } },
          migrations: { 1: (old: { lines: string[] }) => ({ lines: [...old.lines, `migrated@${process.pid}`] }) },
        });
  class Writer extends persistentAgent(Written) {
    static override readonly shared = true;
    readonly activation = `${process.pid}-${++activations}`;

    /** Returns the number of lines. */
    write(entry: string): number {
      return this.state.lines.push(`${entry}@${this.activation}`);
    }

    read(): ReturnType<typeof Lines> {
      return Lines({ lines: [...this.state.lines] });
    }
  }

  class Account extends Writer {
    static override readonly handlers = handlerTable<Account>()
      .rpc(Add, async function ({ entry, tells, remindsAfterMs }) {
        const place = this.write(entry);
        if (tells) await this.tell(Noted({ entry }), new AgentId("auditor", this.id.key));
        await this.publishMessage(Changed({ entry }), new TopicId(topicType, this.id.key));
        if (remindsAfterMs > 0) await this.remindMe(entry, { after: remindsAfterMs }, Due({ entry }));
        return Added({ place, by: this.activation });
      })
      .rpc(AddSlowly, async function ({ entry }) {
        const place = this.write(entry);
        const released = once(process, "SIGUSR2");
        console.log(`adding ${entry}`);
        await released;
        console.log(`added ${entry}`);
        return Added({ place, by: this.activation });
      })
      .rpc(Due, function ({ entry }) {
        this.write(`due ${entry}`);
      })
      .rpc(Read, function () {
        return this.read();
      });
  }

  class Auditor extends Writer {
    static override readonly handlers = handlerTable<Auditor>()
      .rpc(Noted, function ({ entry }) {
        this.write(entry);
      })
      .rpc(Read, function () {
        return this.read();
      });
  }

  class Watcher extends Writer {
    static override readonly handlers = handlerTable<Watcher>()
      .event(Changed, function ({ entry }) {
        this.write(entry);
      })
      .rpc(Read, function () {
        return this.read();
      });
  }

  await Account.register(worker, "account", () => new Account("adds entries"));
  await Auditor.register(worker, "auditor", () => new Auditor("notes what it is told"));
  await Watcher.register(worker, "watcher", () => new Watcher("writes down what it sees"));
  await worker.addSubscription(new TypeSubscription(topicType, "watcher"));
}
