import type { Command } from "commander";
import { describe, expect, test } from "vitest";
import * as z from "zod";
import { agentsCommand } from "../../../src/cli/commands/agents.ts";
import { drainCommand } from "../../../src/cli/commands/drain.ts";
import { AgentId, defineMessage, defineState, persistentAgent, RoutedAgent, rpc } from "../../../src/core/index.ts";
import { WorkerRuntime } from "../../../src/worker/index.ts";
import { Gate } from "../../support/gate.ts";
import { RawWorker } from "../../support/raw-worker.ts";
import { AdminRig } from "./admin-rig.ts";
import { run } from "./running.ts";

const Add = defineMessage("AdminAdd", z.object({}));
const Total = defineState(z.object({ total: z.number() }), { initial: { total: 0 } });

class Counter extends persistentAgent(Total) {
  @rpc(Add)
  add() {
    this.state.total += 1;
  }
}

/** Counts how often one was made and ended. */
class Plain extends RoutedAgent {
  static made = 0;
  static ended = 0;

  constructor() {
    super("plain");
    Plain.made += 1;
  }

  override onDeactivate(): void {
    Plain.ended += 1;
  }

  @rpc(Add)
  add() {}
}

async function worker(rig: AdminRig, name: string) {
  const runtime = new WorkerRuntime({ dialer: rig.dialer, address: "host:1", name });
  await runtime.start();
  return runtime;
}

describe("troupe agents", () => {
  test("lists agents of shared types with their worker and epoch, and then those that have a stored state", async () => {
    await using rig = await AdminRig.open();
    await using one = await worker(rig, "one");
    await Counter.register(one, "room", () => new Counter("a room"), { shared: true });
    await Counter.register(one, "counter", () => new Counter("a counter"));
    for (const id of ["room/a", "room/b", "counter/x"]) await one.sendMessage(Add({}), AgentId.parse(id));
    const { out, err } = await run(agentsCommand(), "--json", ...rig.flags);
    const { rows, next } = JSON.parse(out);
    expect([next, err]).toEqual([null, ""]);
    const [workerId] = [rows[0].workerId];
    expect(rows).toEqual([
      { type: "room", key: "a", sharing: "shared", workerId, epoch: expect.stringMatching(/^\d+\.\d+\.\d+$/) },
      { type: "room", key: "b", sharing: "shared", workerId, epoch: expect.stringMatching(/^\d+\.\d+\.\d+$/) },
      { type: "counter", key: "x", sharing: "exclusive", workerId, epoch: null },
    ]);
    expect((await run(agentsCommand(), "room", ...rig.flags)).out).toMatch(
      /^type {2}key {2}sharing[\s\S]*room {2}a[\s\S]*room {2}b/,
    );
  });

  test("says that no such worker is connected to an operator who names one by another word than its id", async () => {
    await using rig = await AdminRig.open();
    await using one = await worker(rig, "one");
    await Counter.register(one, "room", () => new Counter("a room"), { shared: true });
    await one.sendMessage(Add({}), AgentId.parse("room/a"));
    await expect(run(agentsCommand(), "--worker", "one", ...rig.flags)).rejects.toThrow(
      "No worker one is connected. The worker of this name has the id",
    );
    const { rows } = JSON.parse((await run(agentsCommand(), "--json", ...rig.flags)).out);
    expect((await run(agentsCommand(), "--worker", rows[0].workerId, ...rig.flags)).out).toContain("room");
  });

  test("goes on where a list was cut, and misses and repeats no agent", async () => {
    await using rig = await AdminRig.open();
    await using one = await worker(rig, "one");
    await Counter.register(one, "room", () => new Counter("a room"), { shared: true });
    await Counter.register(one, "counter", () => new Counter("a counter"));
    const ids = Array.from({ length: 7 }, (_, at) => [`room/${at}`, `counter/${at}`]).flat();
    for (const id of ids) await one.sendMessage(Add({}), AgentId.parse(id));
    const seen: string[] = [];
    let after: string | null = null;
    do {
      const from: readonly string[] = after === null ? [] : ["--after", after];
      const { out } = await run(agentsCommand(), "--json", "--limit", "3", ...from, ...rig.flags);
      const { rows, next } = JSON.parse(out) as { rows: { type: string; key: string }[]; next: string | null };
      expect(rows.length).toBeLessThanOrEqual(3);
      seen.push(...rows.map(({ type, key }) => `${type}/${key}`));
      after = next;
    } while (after !== null);
    expect(seen.toSorted()).toEqual(ids.toSorted());
    const cut = await run(agentsCommand(), "--limit", "3", ...rig.flags);
    expect(cut.err).toMatch(/^There are more: raise --limit, or go on with --after \S+\n$/);
  });

  test("shows one agent with what is stored of it, and says so when there is nothing", async () => {
    await using rig = await AdminRig.open();
    await using one = await worker(rig, "one");
    await Counter.register(one, "counter", () => new Counter("a counter"));
    await one.sendMessage(Add({}), new AgentId("counter", "a/b"));
    expect((await run(agentsCommand(), "counter/a/b", ...rig.flags)).out).toMatch(
      /counter {2}a\/b[\s\S]*revision 1, version 1, \d+ bytes/,
    );
    expect((await run(agentsCommand(), "counter/", ...rig.flags)).out).toMatch(/nothing is stored/);
    await expect(run(agentsCommand(), "nowhere/x", ...rig.flags)).rejects.toMatchObject({
      code: "not-found",
      message: "No worker serves nowhere/x, and no state is stored for it.",
    });
  });

  test("deactivates an agent at its worker; its next message makes another one", async () => {
    await using rig = await AdminRig.open();
    await using one = await worker(rig, "one");
    await Plain.register(one, "plain", () => new Plain());
    const id = new AgentId("plain", "1");
    [Plain.made, Plain.ended] = [0, 0];
    await one.sendMessage(Add({}), id);
    expect((await run(agentsCommand(), "plain/1", "--deactivate", ...rig.flags)).out).toBe("deactivated plain/1\n");
    expect([Plain.made, Plain.ended]).toEqual([1, 1]);
    await one.sendMessage(Add({}), id);
    expect(Plain.made).toBe(2);
    expect(rig.logger.lines).toMatchObject([
      { level: "info", text: "an operator asks", fields: { path: "/v1/agent/deactivate", type: "plain", key: "1" } },
    ]);
  });

  test("destroys an agent with its state at its worker, and at the host where no worker has it", async () => {
    await using rig = await AdminRig.open();
    await using one = await worker(rig, "one");
    await Counter.register(one, "counter", () => new Counter("a counter"));
    await Counter.register(one, "room", () => new Counter("a room"), { shared: true });
    for (const name of ["counter/1", "room/1"]) {
      const id = AgentId.parse(name);
      await one.sendMessage(Add({}), id);
      expect(await rig.store.load(id)).toBeDefined();
      expect((await run(agentsCommand(), name, "--destroy", ...rig.flags)).out).toBe(`destroyed ${name}\n`);
      expect(await rig.store.load(id)).toBeUndefined();
    }
    await one.sendMessage(Add({}), new AgentId("counter", "2"));
    await one.stop();
    expect((await run(agentsCommand(), "counter/2", "--destroy", ...rig.flags)).out).toBe("destroyed counter/2\n");
    expect(await rig.store.load({ type: "counter", key: "2" })).toBeUndefined();
    expect((await run(agentsCommand(), "counter/2", "--deactivate", ...rig.flags)).out).toBe(
      "no worker has counter/2\n",
    );
  });

  test("says why a worker can't end an agent: one of AutoGen's, one without a control channel, one that refuses", async () => {
    await using rig = await AdminRig.open();
    const stock = await new RawWorker(rig.dial(), "S").join();
    await stock.register("stock");
    await expect(run(agentsCommand(), "stock/1", "--deactivate", ...rig.flags)).rejects.toThrow(
      /Worker S is one of AutoGen's/,
    );
    const mute = await new RawWorker(rig.dial(), "M", { isAnnounced: true }).join();
    await mute.register("mute");
    await expect(run(agentsCommand(), "mute/1", "--destroy", ...rig.flags)).rejects.toThrow(/no control channel now/);
    await using one = await worker(rig, "one");
    await one.registerAgentInstance(new Plain(), new AgentId("single", "1"));
    await expect(run(agentsCommand(), "single/1", "--destroy", ...rig.flags)).rejects.toMatchObject({
      code: "not-accessible",
      message: expect.stringMatching(/registered as an instance/),
    });
  });

  test("wants one agent for an end, and one end for an agent", async () => {
    await using rig = await AdminRig.open();
    for (const args of [["--destroy"], ["counter", "--deactivate"], ["counter/1", "--deactivate", "--destroy"]]) {
      await expect(run(agentsCommand(), ...args, ...rig.flags)).rejects.toThrow(/Name one agent, type\/key/);
    }
  });
});

test("troupe agents refuses flags of a list beside one agent, and says what to leave out", async () => {
  await using rig = await AdminRig.open();
  for (const flag of ["--worker", "--after"]) {
    for (const more of [[], ["--deactivate"]]) {
      await expect(run(agentsCommand(), "room/1", flag, "one", ...more, ...rig.flags)).rejects.toThrow(
        `${flag} is for lists, and room/1 is one agent. Leave ${flag} out, or name the type alone: room.`,
      );
    }
  }
});

const commandsOfWorkers: readonly (readonly [string, () => Command, readonly string[]])[] = [
  ["troupe drain worker", drainCommand, ["worker"]],
  ["troupe agents --worker", agentsCommand, ["--worker"]],
];

test.each(commandsOfWorkers)("%s says the id of a worker that is named by its name", async (_, command, args) => {
  await using rig = await AdminRig.open();
  await using one = await worker(rig, "one");
  await using two = await worker(rig, "two");
  await using other = await worker(rig, "two");
  expect([one, two, other].length).toBe(3);
  const { workers } = await rig.host.inspect();
  const idsOf = (name: string) => workers.filter((found) => found.name === name).map(({ workerId }) => workerId);
  const refused = (name: string) => expect(run(command(), ...args, name, ...rig.flags)).rejects;
  await refused("one").toThrow(
    `No worker one is connected. The worker of this name has the id ${idsOf("one")}. Name it by its id.`,
  );
  const [first = "", second = ""] = idsOf("two");
  await refused("two").toThrow(/Several workers have this name: .*, .*\. Name one by its id\./);
  await refused("two").toThrow(first);
  await refused("two").toThrow(second);
  await refused("three").toThrow("No worker three is connected. See troupe workers.");
});

describe("troupe drain worker", () => {
  test("waits for the word of a worker that has no agents, and says that it stops", async () => {
    await using rig = await AdminRig.open();
    await using one = await worker(rig, "one");
    await Counter.register(one, "room", () => new Counter("a room"), { shared: true });
    const [{ workerId = "" } = {}] = (await rig.host.inspect()).workers;
    const { out } = await run(drainCommand(), "worker", workerId, ...rig.flags);
    expect(out).toBe(`drained ${workerId}: 0 agents left it. It stops when its calls have ended.\n`);
    expect(await one.closed).toEqual({ by: "drained" });
  });

  test("does not say of a worker that still starts that it stops", async () => {
    await using rig = await AdminRig.open();
    // It has a channel, and does not answer: its start goes on.
    const starting = await new RawWorker(rig.dial(), "S", { isAnnounced: true, metadata: { agcaps: "claims" } }).join();
    const [{ workerId = "" } = {}] = (await rig.host.inspect()).workers;
    const { out } = await run(drainCommand(), "worker", workerId, "--grace-ms", "1", ...rig.flags);
    expect(out).toContain("It has not said that it stops: it still starts, or it hangs.");
    expect(await starting.settled()).toMatchObject([{ kind: "drain" }, { kind: "leave", agents: [] }]);
  });

  test("lets the calls of a worker without shared types end, and takes it no new ones", async () => {
    await using rig = await AdminRig.open();
    await using caller = await worker(rig, "caller");
    caller.addMessageSerializer(Add);
    await using one = await worker(rig, "one");
    const [begun, mayEnd] = [new Gate(), new Gate()];
    class Slow extends RoutedAgent {
      @rpc(Add)
      async add() {
        begun.open();
        await mayEnd.opened;
      }
    }
    await Slow.register(one, "slow", () => new Slow("slow"));
    const { workers } = await rig.host.inspect();
    const { workerId = "" } = workers.find(({ name }) => name === "one") ?? {};
    const answered = caller.sendMessage(Add({}), AgentId.parse("slow/1"));
    await begun.opened;
    const { out } = await run(drainCommand(), "worker", workerId, ...rig.flags);
    expect(out).toBe(
      `${workerId} leaves the host or has gone: 0 agents of shared types had left it, and it holds none any more\n`,
    );
    await expect(caller.sendMessage(Add({}), AgentId.parse("slow/2"))).rejects.toMatchObject({ code: "undeliverable" });
    mayEnd.open();
    await answered;
    expect(await one.closed).toEqual({ by: "drained" });
  });
});
