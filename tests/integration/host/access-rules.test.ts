import { describe, expect, it } from "vitest";
import type { HostOccurrence, HostOptions } from "../../../src/host/index.ts";
import { encodeAgentId, encodeFrame, method } from "../../../src/protocol/internal.ts";
import { type AccessRule, type AccessRules, accessRules, functionAuthenticator } from "../../../src/security/index.ts";
import { StatusCode } from "../../../src/transport/index.ts";
import { type HostRig, hostTransports } from "../../support/host-transports.ts";
import { RawControl } from "../../support/raw-control.ts";
import { eventOn, namesStates, RawStates } from "../../support/raw-states.ts";
import { exact, prefix, RawWorker, textPayload } from "../../support/raw-worker.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";

/** Callers are who their user agent says, with a role of the same name. */
const authenticator = functionAuthenticator(({ metadata }) => {
  const name = (metadata["user-agent"] ?? "").split(" ")[0] || "-";
  return { name, roles: [`role-${name}`] };
});

/** Alice serves the vault, and may do everything. Each test says what bob may do. */
const all: AccessRule = { name: "all", principal: "alice", allow: "*", types: "*", topics: "*" };

async function pair(rig: HostRig): Promise<{ readonly alice: RawWorker; readonly bob: RawWorker }> {
  const alice = await new RawWorker(rig.dial("alice"), "A", { isAnnounced: true }).join();
  const bob = await new RawWorker(rig.dial("bob"), "B", namesStates).join();
  await alice.register("vault");
  return { alice, bob };
}

/** The bytes of a call, as mail and reminders have it. */
function callTo(agent: string): Uint8Array {
  const [type = "", key = ""] = agent.split("/");
  const call = { requestId: "", source: undefined, target: { type, key }, payload: textPayload("x"), metadata: {} };
  return encodeFrame({ kind: "request", ...call });
}

const denied = (text: RegExp | string) => ({
  error: expect.stringMatching(text),
  metadata: expect.objectContaining({ agerrorcode: "not-authorized" }),
});

describe.each(hostTransports)("a host with rules, over $name", ({ start }) => {
  const started = (rules: readonly AccessRule[] | AccessRules, options: HostOptions = {}) =>
    start({ authenticator, rules: "decide" in rules ? rules : accessRules([all, ...rules]), ...options });

  it("passes on the calls that a rule allows, and refuses all others with a text that names the rule and nothing else", async () => {
    const logger = new RecordingLogger();
    const seen: HostOccurrence[] = [];
    await using rig = await started(
      [
        { role: "role-bob", allow: "call", types: ["va*", "shop"] },
        { name: "no shops", principal: "bob", deny: "call", types: "shop" },
      ],
      { logger, observer: (what) => seen.push(what) },
    );
    const { alice, bob } = await pair(rig);
    await alice.register("shop");
    bob.request("1", "vault/k");
    expect(await alice.nextRequest()).toMatchObject({ target: { type: "vault" } });
    bob.request("2", "shop/secret-key");
    const byRule = await bob.nextResponse();
    expect(byRule).toMatchObject({
      requestId: "2",
      ...denied(/^Not authorized to call this agent type\. The rule "no shops"/),
    });
    bob.request("3", "other/secret-key");
    const byNone = await bob.nextResponse();
    expect(byNone).toMatchObject({ requestId: "3", ...denied(/No rule of this host allows it/) });
    for (const told of [byRule, byNone]) expect(JSON.stringify(told)).not.toMatch(/secret-key|alice|127\.0\.0\.1|"A"/);
    expect(await alice.settled()).toEqual([]);
    // The barriers of the two workers are calls, too; bob's names no agent type that he may call.
    expect(rig.host.counters().deniedByRules).toBeGreaterThanOrEqual(2);
    expect(seen).toContainEqual(
      expect.objectContaining({ at: "denied", method: "call", clientId: "B", reason: "no shops denies call shop" }),
    );
    const line = logger.lines.find(({ fields }) => fields?.reason === "no shops denies call shop");
    expect(line).toMatchObject({ text: "a call is refused: it is not authorized", fields: { principal: "bob" } });
  });

  it("holds calls and events to the agent that sends them, as a rule about agents says", async () => {
    await using rig = await started([
      { principal: "bob", allow: "register", types: "*" },
      { agent: "writer", allow: ["call", "publish"], types: "vault", topics: "t" },
    ]);
    const { alice, bob } = await pair(rig);
    await alice.subscribe("S", exact("t", "vault"));
    await bob.register("writer");
    await bob.register("reader");
    for (const [requestId, source] of [
      ["1", { type: "reader", key: "r" }],
      ["2", undefined],
    ] as const) {
      bob.request(requestId, "vault/k", { source });
      expect(await bob.nextResponse()).toMatchObject({ requestId, ...denied(/No rule/) });
    }
    bob.request("3", "vault/k", { source: { type: "writer", key: "w" } });
    expect(await alice.nextRequest()).toMatchObject({ source: { type: "writer" } });
    const event = { id: "E", topicType: "t", topicSource: "s", payload: textPayload("x"), attributes: {} };
    bob.send({ kind: "event", event: { ...event, sender: { type: "reader", key: "r" } } });
    bob.send({ kind: "event", event: { ...event, id: "F", sender: { type: "writer", key: "w" } } });
    expect(await alice.nextEvent()).toMatchObject({ id: "F" });
  });

  it("drops events for topics that no rule lets their worker publish to", async () => {
    await using rig = await started([{ principal: "bob", allow: "publish", topics: "open*" }]);
    const { alice, bob } = await pair(rig);
    await alice.subscribe("S", prefix("", "vault"));
    bob.publish("secret");
    bob.publish("open.1");
    expect(await alice.nextEvent()).toMatchObject({ topicType: "open.1" });
    expect(rig.host.counters()).toMatchObject({ events: 1 });
  });

  it("registers only types that a rule allows, in all generations", async () => {
    await using rig = await started([{ principal: ["bob", "legacy"], allow: "register", types: "clerk*" }]);
    const { bob } = await pair(rig);
    await bob.register("clerk");
    await expect(bob.register("vault2")).rejects.toMatchObject({ status: { code: StatusCode.permissionDenied } });
    const legacy = await new RawWorker(rig.dial("legacy")).join();
    legacy.send({ kind: "register-type", requestId: "1", agentType: "vault2" });
    expect(await legacy.next()).toMatchObject({ kind: "ack", success: false, error: expect.stringMatching(/No rule/) });
    legacy.send({ kind: "register-type", requestId: "2", agentType: "clerk2" });
    expect(await legacy.next()).toMatchObject({ kind: "ack", success: true });
    legacy.send({ kind: "subscribe", requestId: "3", pattern: prefix("", "clerk2") });
    expect(await legacy.next()).toMatchObject({ kind: "ack", success: false, error: expect.stringMatching(/No rule/) });
  });

  it("takes no subscription that hears more than its worker may, such as one to all topics", async () => {
    await using rig = await started([
      { principal: "bob", allow: "register", types: "clerk" },
      { principal: "bob", allow: "subscribe", topics: ["news*", "a"] },
      { principal: "bob", deny: "subscribe", topics: "news.secret" },
    ]);
    const { bob } = await pair(rig);
    const refused = { status: { code: StatusCode.permissionDenied } };
    const patterns = [prefix("", "clerk"), prefix("a", "clerk"), prefix("news", "clerk"), prefix("news.s", "clerk")];
    for (const pattern of [...patterns, exact("news.secret", "clerk"), exact("b", "clerk"), exact("a", "vault")])
      await expect(bob.subscribe("S", pattern)).rejects.toMatchObject(refused);
    await bob.subscribe("1", exact("a", "clerk"));
    await bob.subscribe("2", prefix("news.x", "clerk"));
    // Its direct topics need no rule of their own: stock workers subscribe to them with each type.
    await bob.subscribe("3", prefix("clerk:", "clerk"));
    await expect(bob.subscribe("4", prefix("vault:", "clerk"))).rejects.toMatchObject(refused);
  });

  it("reads and writes states, sends events, mail and reminders with a commit only as the rules allow", async () => {
    await using rig = await started([
      { principal: "bob", allow: "register", types: "*" },
      { principal: "bob", allow: "read-state", types: ["reader", "writer"] },
      { principal: "bob", allow: "write-state", types: ["writer", "quiet"] },
      { principal: "bob", allow: ["call", "publish"], types: "writer", topics: "open" },
    ]);
    const { bob } = await pair(rig);
    await bob.register("reader");
    await bob.register("writer");
    await bob.register("other");
    await bob.register("quiet");
    const states = new RawStates(bob.link, "B");
    const failed = { outcome: { at: "failed", code: "not-authorized", text: expect.stringMatching(/No rule/) } };
    states.load("other/a");
    expect(await states.next()).toMatchObject(failed);
    states.load("reader/a");
    expect(await states.next()).toMatchObject({ outcome: { at: "nothing" } });
    states.commit("reader/a");
    expect(await states.next()).toMatchObject(failed);
    states.commit("writer/a", { events: [eventOn("open", "E"), eventOn("secret", "F")] });
    expect(await states.next()).toMatchObject(failed);
    states.commit("writer/a", { mail: [{ id: "m", message: callTo("reader/a") }] });
    expect(await states.next()).toMatchObject(failed);
    const dueMs = Date.now() + 60_000;
    const rule = JSON.stringify({ repeats: { at: "once" }, missed: "once", dueMs, tick: 1, unfired: 0, waits: 0 });
    const reminder = { at: "set", name: "r", dueMs, rule, message: callTo("quiet/a") } as const;
    states.commit("quiet/a", { reminders: [reminder] });
    expect(await states.next()).toMatchObject(failed);
    states.load("writer/a");
    expect(await states.next()).toMatchObject({ outcome: { at: "nothing" } });
    expect(rig.host.counters()).toMatchObject({ events: 0, commits: 0 });
    states.commit("writer/a", { events: [eventOn("open", "E")] });
    expect(await states.next()).toMatchObject({ outcome: { at: "committed" } });
    const get = (type: string) =>
      bob.link.unary(method.getState, encodeAgentId({ type, key: "a" }), { metadata: { "client-id": "B" } });
    await get("writer");
    await expect(get("other")).rejects.toMatchObject({ status: { code: StatusCode.permissionDenied } });
  });

  it("passes requests of the control channel only as the rules allow, by the agent that they go to and the one that they name", async () => {
    await using rig = await started([
      { principal: "bob", allow: "register", types: "*" },
      { principal: "bob", allow: "control", types: ["open", "half"] },
      { principal: "bob", allow: "read-state", types: "open" },
    ]);
    const { bob } = await pair(rig);
    for (const type of ["open", "half", "shut"]) await bob.register(type);
    const worker = await RawControl.open(bob.link, "B");
    const asker = await RawControl.open(rig.dial("bob"), "B2");
    const ask = (to: string, named: string, kind: "save-request" | "deactivate-request") =>
      asker.send({
        ...{ rpcId: "1", destination: to, respondTo: "clientid=B2" },
        body: { kind, agentId: { type: named, key: "k" } },
      });
    for (const [to, named, kind] of [
      ["agentid=shut/k", "shut", "deactivate-request"],
      ["agentid=open/k", "shut", "deactivate-request"],
      ["agentid=shut/k", "open", "deactivate-request"],
      ["clientid=B", "shut", "deactivate-request"],
      ["agentid=half/k", "half", "save-request"],
    ] as const) {
      ask(to, named, kind);
      expect(await asker.next()).toMatchObject({ body: { error: expect.stringMatching(/Not authorized/) } });
      expect(await worker.settled()).toEqual([]);
    }
    ask("agentid=half/k", "half", "deactivate-request");
    expect(await worker.next()).toMatchObject({ body: { kind: "deactivate-request" } });
    ask("clientid=B", "open", "save-request");
    expect(await worker.next()).toMatchObject({ body: { kind: "save-request" } });
  });

  it("holds open sessions to changed rules with the next message", async () => {
    let now = accessRules([all, { principal: "bob", allow: "call", types: "vault" }]);
    const rules: AccessRules = {
      get revision() {
        return now;
      },
      asksAgents: false,
      decide: (request) => now.decide(request),
    };
    await using rig = await started(rules);
    const { alice, bob } = await pair(rig);
    bob.request("1", "vault/k");
    await alice.nextRequest();
    now = accessRules([all]);
    bob.request("2", "vault/k");
    expect(await bob.nextResponse()).toMatchObject({ requestId: "2", ...denied(/No rule/) });
    now = accessRules([all, { principal: "bob", allow: "call", types: "vault" }]);
    bob.request("3", "vault/k");
    await alice.nextRequest();
  });

  it("asks the rules once for each session and target, and gives the bytes of what it keeps back", async () => {
    let asked = 0;
    const allowing = accessRules([{ principal: "*", allow: "*", types: "*", topics: "*" }]);
    const rules: AccessRules = {
      ...{ revision: allowing, asksAgents: false },
      decide: (request) => {
        if (request.action === "call" && request.resource === "vault") asked += 1;
        return allowing.decide(request);
      },
    };
    await using rig = await started(rules);
    const { alice, bob } = await pair(rig);
    for (let count = 0; count < 10; count += 1) {
      bob.request(String(count), "vault/k");
      await alice.nextRequest();
    }
    expect(asked).toBe(1);
    // Many targets: what is kept stays within its bound.
    for (let count = 0; count < 3_000; count += 1) bob.request(`x${count}`, `nobody${count}/k`);
    for (let count = 0; count < 3_000; count += 1) await bob.nextResponse();
    bob.request("again", "vault/k");
    await alice.nextRequest();
    expect(asked).toBe(2);
  });

  it("denies what rules that throw were asked, and goes on", async () => {
    const rules: AccessRules = {
      ...{ revision: 1, asksAgents: false },
      decide: ({ principal, action }) => {
        if (action === "call" && principal?.name === "bob") throw new Error("secret");
        return { isAllowed: true, rule: "all", place: undefined };
      },
    };
    await using rig = await started(rules);
    const { bob } = await pair(rig);
    bob.request("1", "vault/k");
    const told = await bob.nextResponse();
    expect(told).toMatchObject(denied(/could not be asked/));
    expect(JSON.stringify(told)).not.toContain("secret");
  });
});

it("a host takes no rules without knowing who calls", async () => {
  const { HostServicer } = await import("../../../src/host/index.ts");
  expect(() => new HostServicer({ rules: accessRules([]) })).toThrow(/needs to know who calls/);
});
