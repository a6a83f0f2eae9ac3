import { describe, expect, test } from "vitest";
import { z } from "zod";
import {
  AgentId,
  type AgentRuntime,
  defineMessage,
  handlerTable,
  RoutedAgent,
  type Run,
  TopicId,
  TypeSubscription,
} from "../../../src/core/index.ts";
import { StartRun } from "../../../src/core/runs/run-messages.ts";
import { accessRules, functionAuthenticator } from "../../../src/security/index.ts";
import { startTestHost } from "../../../src/testing/index.ts";
import { grpcDialer } from "../../../src/transport/index.ts";
import { WorkerRuntime } from "../../../src/worker/index.ts";
import { Inbox } from "../../support/inbox.ts";
import { Opened } from "../../support/opened.ts";

const Secret = defineMessage("Secret", z.object({ text: z.string() }));
const Part = defineMessage("SecretPart", z.object({ text: z.string() }));
const Mark = defineMessage("SecretMark", z.object({ text: z.string() }));
const Open = defineMessage("OpenVault", z.object({ text: z.string() }), { answer: Secret, chunk: Part });

const vault = new AgentId("vault", "k");
const order = Open({ text: "gold" });

interface Calls {
  begun: number;
  readonly told: (string | undefined)[];
  readonly marks: Inbox<string>;
}

/** Tells its secret to all that may call it. Its type does not ask who calls. */
class Vault extends RoutedAgent {
  readonly calls: Calls;

  static override readonly handlers = handlerTable<Vault>()
    .rpc(Open, function ({ text }, { principal }) {
      this.calls.told.push(principal);
      return this.tellAll(text);
    })
    .event(Mark, function ({ text }) {
      this.calls.marks.put(text);
    });

  constructor(calls: Calls) {
    super("a vault");
    this.calls = calls;
  }

  async *tellAll(text: string) {
    this.calls.begun += 1;
    yield Part({ text });
    return Secret({ text });
  }
}

const rules = accessRules([
  { principal: "server", allow: "*", types: "*", topics: "*" },
  { principal: ["alice", "bob"], allow: "call", types: "*" },
  { principal: "mallory", allow: ["call", "publish", "register", "subscribe"], types: "open*", topics: "*" },
]);

/** A host that knows its callers, with the vault at one worker and a worker of each caller. */
async function openRig() {
  const opened = new Opened();
  const authenticator = functionAuthenticator(({ metadata }) => ({ name: metadata["x-name"] ?? "-" }));
  const host = opened.use(await startTestHost({ authenticator, rules, link: "grpc" }));
  const join = async (name: string) => {
    const worker = opened.use(new WorkerRuntime({ ...host, dialer: grpcDialer({ metadata: { "x-name": name } }) }));
    await worker.start();
    worker.addMessageSerializer([Open, Mark]);
    return worker;
  };
  const calls: Calls = { begun: 0, told: [], marks: new Inbox<string>() };
  const server = await join("server");
  await Vault.register(server, "vault", () => new Vault(calls));
  await server.addSubscription(new TypeSubscription("news", "vault"));
  const [alice, bob, mallory] = [await join("alice"), await join("bob"), await join("mallory")];
  return { opened, calls, server, alice, bob, mallory };
}

async function read(run: Run<unknown, unknown>): Promise<void> {
  for await (const _chunk of run);
}

async function listed(runtime: AgentRuntime, owner?: string): Promise<readonly string[]> {
  const { runs } = await runtime.listRuns(vault, owner === undefined ? {} : { owner });
  return runs.map(({ id }) => id);
}

describe("a host that knows its callers", () => {
  test("a run belongs to the principal that has started it: no other finds, reads, cancels or lists it", async () => {
    const { opened, calls, alice, bob } = await openRig();
    await using _ends = opened;
    const run = await alice.startRun(order, vault, { id: "r" });
    expect(await run.answer()).toEqual({ text: "gold" });
    const stolen = bob.attachRun(vault, "r", { message: Open });
    for (const attempt of [stolen.status(), stolen.answer(), stolen.cancel(), read(stolen)]) {
      await expect(attempt).rejects.toMatchObject({ code: "not-found" });
    }
    await expect(bob.startRun(order, vault, { id: "r" })).rejects.toMatchObject({ code: "already-exists" });
    expect(await listed(bob)).toEqual([]);
    expect(await listed(alice)).toEqual(["r"]);
    expect(await alice.attachRun(vault, "r", { message: Open }).answer()).toEqual({ text: "gold" });
    // The vault does not ask who calls: its handler hears no more than of a plain call.
    expect(calls.told).toEqual([undefined]);
  });

  test("a principal that may not call a type starts no run there, neither by a call nor by an event", async () => {
    const { opened, calls, mallory } = await openRig();
    await using _ends = opened;
    await expect(mallory.startRun(order, vault)).rejects.toMatchObject({ code: "not-authorized" });
    const message = JSON.stringify({ text: "gold" });
    const hidden = StartRun({
      ...{ run_id: "r", message_type: "OpenVault", content_type: "application/json", message },
      ...{ keep_ms: 0, timeout_ms: 0, owner: "" },
    });
    await mallory.publishMessage(hidden, new TopicId("news", "k"));
    // A topic of this form carries calls of AutoGen's request and answer by events.
    await mallory.publishMessage(hidden, new TopicId("vault:rpc_request=open", "k"));
    await mallory.publishMessage(Mark({ text: "after" }), new TopicId("news", "k"));
    expect(await calls.marks.take()).toBe("after");
    expect(calls.begun).toBe(0);
  });

  test("a run can't begin with a message that the runtime answers itself", async () => {
    const { opened, alice } = await openRig();
    await using _ends = opened;
    const inner = StartRun({
      ...{ run_id: "i", message_type: "OpenVault", content_type: "application/json", message: '{"text":"x"}' },
      ...{ keep_ms: 0, timeout_ms: 0, owner: "" },
    });
    await expect(alice.startRun(inner, vault)).rejects.toMatchObject({ code: "invalid-message" });
  });
});
