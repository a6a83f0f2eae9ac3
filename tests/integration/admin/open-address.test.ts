import { Buffer } from "node:buffer";
import { request } from "node:https";
import { beforeAll, describe, expect, test } from "vitest";
import { nameInPath } from "../../../src/core/internal.ts";
import { accessRules, certificateAuthenticator, tokenAuthenticator } from "../../../src/security/index.ts";
import { RawWorker } from "../../support/raw-worker.ts";
import { TestAuthority } from "../../support/security/authority.ts";
import { AdminRig } from "./admin-rig.ts";

interface Answer {
  readonly status: number;
  readonly content: {
    readonly rows?: readonly Record<string, unknown>[];
    readonly next?: string | null;
    readonly detail?: string;
  };
}

let authority: TestAuthority;
let server: Awaited<ReturnType<TestAuthority["server"]>>;

beforeAll(async () => {
  authority = await TestAuthority.create();
  server = await authority.server();
});

const tokens = [
  "ops token-of-ops-0123456789 operator",
  "writer token-of-writer-0123456789",
  "guest token-of-guest-0123456789",
].join("\n");

/** Longer than names in paths are. */
const [secretType, shownType] = [`long-secret-${"x".repeat(60)}`, `long-shown-${"x".repeat(60)}`];
const rules = accessRules([
  { principal: "*", allow: ["register", "call"], types: "*" },
  { role: "operator", allow: "*", types: "*", topics: "*" },
  { principal: "writer", allow: ["see", "administer", "read-state"], types: "writer" },
  { principal: "writer", allow: "publish", topics: "drafts" },
  { name: "no vaults", principal: "*", deny: ["see"], types: "vault" },
  { principal: "writer", allow: "see", types: "long-*" },
  { name: "one long type is not shown", principal: "writer", deny: "see", types: secretType },
]);

/** A host whose admin entry principals reach by TLS. */
async function openRig(options: { readonly requestCert?: boolean } = {}) {
  const authenticator = options.requestCert ? certificateAuthenticator() : tokenAuthenticator({ text: tokens });
  const tls = { ...server, ...(options.requestCert && { ca: authority.ca, requestCert: true }) };
  const rig = await AdminRig.open(
    { authorize: ({ metadata }) => ({ name: metadata["client-id"] ?? "" }) },
    { open: { host: "127.0.0.1", port: 0, tls, authenticator, rules } },
  );
  const ask = (
    path: string,
    {
      token,
      method = "GET",
      headers = {},
      body,
      pair,
    }: {
      readonly token?: string;
      readonly method?: string;
      readonly headers?: Record<string, string>;
      readonly body?: string;
      readonly pair?: { readonly cert: string; readonly key: string };
    } = {},
  ): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
      const url = `${rig.entry.openUrl}${path}`;
      const asked = request(url, {
        method,
        ca: authority.ca,
        agent: false,
        ...pair,
        headers: { ...authorization, ...headers },
      });
      asked.once("error", reject);
      asked.once("response", (response) => {
        let text = "";
        response.setEncoding("utf8");
        response.on("data", (part: string) => {
          text += part;
        });
        response.once("end", () =>
          resolve({ status: response.statusCode ?? 0, content: text === "" ? {} : JSON.parse(text) }),
        );
      });
      if (headers["content-length"] === undefined) asked.end(body);
      else asked.flushHeaders();
    });
  const link = rig.dial();
  const worker = await new RawWorker(link, "worker", { isAnnounced: true }).join();
  for (const type of ["writer", "vault"]) await worker.register(type);
  return { rig, ask, link, worker };
}

/** Headers of a body that never comes. */
const endless = { "content-length": "1000" };

const ops = "token-of-ops-0123456789";
const writer = "token-of-writer-0123456789";
const guest = "token-of-guest-0123456789";

describe("at the address that other machines reach", () => {
  test("the token of this machine and no token are worth nothing, also for probes", async () => {
    const { rig, ask, link } = await openRig();
    await using _rig = rig;
    for (const path of ["/v1/host", "/healthz", "/metrics", "/nothing"])
      for (const token of [undefined, "rig-token", `${guest}x`])
        expect((await ask(path, token === undefined ? {} : { token })).status).toBe(401);
    expect((await ask("/healthz", { token: guest })).status).toBe(200);
    await link.close();
  });

  test("a principal sees and does what the rules allow, and refusals name the rule and nothing else", async () => {
    const { rig, ask, link, worker } = await openRig();
    await using _rig = rig;
    const caller = await new RawWorker(link, "caller", { isAnnounced: true }).join();
    for (const [id, target] of [
      ["1", "writer/a"],
      ["2", "vault/b"],
    ] as const) {
      caller.request(id, target);
      await worker.nextRequest();
    }
    const typesOf = async (path: string, token: string) =>
      ((await ask(path, { token })).content.rows ?? []).map(({ type }) => type);
    for (const path of ["/v1/types", "/v1/calls"]) {
      expect(await typesOf(path, writer)).toEqual(["writer"]);
      expect(await typesOf(path, guest)).toEqual([]);
      // A rule that denies wins.
      expect(await typesOf(path, ops)).toEqual(["writer"]);
    }
    for (const type of ["writer", "vault"])
      await rig.client.ask("PUT", "/v1/state", { type, key: "kept" }, { body: Buffer.from("{}") });
    for (const [token, types] of [
      [writer, ["writer"]],
      [guest, []],
    ] as const)
      expect(await typesOf("/v1/states", token)).toEqual(types);
    expect((await ask("/v1/state?type=writer&key=kept", { token: writer })).status).toBe(200);
    expect(rig.logger.lines).toContainEqual({
      ...{ level: "info", text: "a principal reads contents" },
      fields: { principal: "writer", what: "states", count: 1 },
    });
    expect((await ask("/v1/sessions", { token: writer })).content.rows).toEqual([]);
    for (const path of ["/v1/host", "/v1/workers", "/v1/counters", "/v1/configuration", "/metrics"]) {
      const { status, content } = await ask(path, { token: path === "/v1/host" ? ops : writer });
      // Who may not see all types does not see the host.
      const detail = 'Not authorized to see this. The rule "no vaults" of this host denies it. Ask its operator.';
      expect([status, content.detail]).toEqual([403, detail]);
    }
    const end = (type: string, token: string) =>
      ask(`/v1/agent/destroy?type=${type}&key=k`, { token, method: "POST" }).then(({ status }) => status);
    expect(await end("vault", writer)).toBe(403);
    expect(await end("writer", guest)).toBe(403);
    expect((await ask("/v1/state?type=vault&key=k", { token: writer })).status).toBe(403);
    expect((await ask("/v1/state?type=writer&key=k", { token: writer })).status).toBe(404);
    expect((await ask("/v1/state?type=writer&key=k", { token: writer, method: "DELETE" })).status).toBe(403);
    expect((await ask("/v1/worker/drain?id=worker", { token: writer, method: "POST" })).status).toBe(403);
    await link.close();
  });

  test("a principal that reads a dead letter has a line in the log, and none when it gets no contents", async () => {
    const { rig, ask, link } = await openRig();
    await using _rig = rig;
    for (const type of ["writer", "vault"]) {
      const kept = {
        mailbox: { type, key: "k" },
        id: type,
        kind: "call",
        frame: new Uint8Array([1]),
        sentAtMs: 0,
      } as const;
      await rig.store.log.bury({ ...kept, place: 0, priorTakeovers: 0 }, { code: "expired", text: "", attempts: 1 });
    }
    const { rows = [] } = await rig.client.ask<{ readonly rows: Answer["content"]["rows"] }>("GET", "/v1/dead");
    const letterOf = (wanted: string) => rows.find(({ type }) => type === wanted)?.letter;
    const read = (type: string, token: string) =>
      ask(`/v1/dead/letter?letter=${letterOf(type)}`, { token }).then(({ status }) => status);
    const lines = () => rig.logger.lines.filter(({ text }) => text === "a principal reads contents");
    // The list has no contents.
    expect((await ask("/v1/dead", { token: writer })).content.rows).toMatchObject([{ type: "writer" }]);
    expect([await read("vault", writer), await read("writer", guest)]).toEqual([404, 404]);
    // The operator of this machine may read everything.
    await rig.client.ask("GET", "/v1/dead/letter", { letter: String(letterOf("writer")) });
    expect(lines()).toEqual([]);
    expect(await read("writer", writer)).toBe(200);
    const fields = { principal: "writer", what: "dead letters", count: 1 };
    expect(lines()).toEqual([{ level: "info", text: "a principal reads contents", fields }]);
    await link.close();
  });

  test("a principal sees the runs of the types that it may see, and reads and cancels none without more rights", async () => {
    const { rig, ask, link } = await openRig();
    await using _rig = rig;
    for (const type of ["writer", "vault"]) {
      const create = { at: "create", id: "r", message: new Uint8Array([1]), principal: "", owner: "" } as const;
      const times = { depth: 0, startedAtMs: 0, keepMs: 60_000 };
      const nothingElse = { epoch: undefined, reminders: [], mail: [], remembered: [] };
      await rig.store.commit([
        {
          ...{ agent: { type, key: "k" }, expected: { at: "anything" }, write: { at: "keep" } },
          ...{ runs: [{ ...create, ...times }], ...nothingElse },
        },
      ]);
    }
    const statusOf = (path: string, token: string, method = "GET") =>
      ask(path, { token, method }).then(({ status }) => status);
    expect((await ask("/v1/runs", { token: writer })).content.rows).toMatchObject([{ type: "writer" }]);
    expect((await ask("/v1/runs", { token: guest })).content.rows).toEqual([]);
    for (const [type, status] of [
      ["writer", 200],
      ["vault", 403],
    ] as const) {
      expect(await statusOf(`/v1/run?type=${type}&key=k&id=r`, writer)).toBe(status);
      expect(await statusOf(`/v1/run?type=${type}&key=k&id=r`, guest)).toBe(403);
      expect(await statusOf(`/v1/run/cancel?type=${type}&key=k&id=r`, guest, "POST")).toBe(403);
      expect(await statusOf(`/v1/run/cancel?type=${type}&key=k&id=r`, writer, "POST")).toBe(status);
    }
    expect(rig.logger.lines.filter(({ text }) => text === "a principal reads contents")).toMatchObject([
      { fields: { principal: "writer", what: "runs", count: 1 } },
    ]);
    await link.close();
  });

  test("the places and filters of lists tell a principal nothing of agents that it may not see", async () => {
    const { rig, ask, link, worker } = await openRig();
    await using _rig = rig;
    for (const type of ["a-vault", "vault", "writer", "z-vault"])
      for (const key of ["k1", "k2", "k3"])
        await rig.client.ask("PUT", "/v1/state", { type, key }, { body: Buffer.from("{}") });
    const found: unknown[] = [];
    let next: string | null | undefined = "";
    while (typeof next === "string") {
      const after: string = next === "" ? "" : `&after=${next}`;
      const { status, content }: Answer = await ask(`/v1/states?limit=1${after}`, { token: writer });
      expect(status).toBe(200);
      found.push(...(content.rows ?? []).map(({ type, key }) => `${type}/${key}`));
      next = content.next;
      if (typeof next !== "string") continue;
      expect(Buffer.from(next, "base64url").toString("latin1")).not.toMatch(/vault|writer/);
      // All of one length: not even that of a name is told.
      expect(next).toHaveLength(379);
    }
    expect(found).toEqual(["writer/k1", "writer/k2", "writer/k3"]);
    for (const path of ["/v1/states?type=vault&limit=1", "/v1/states?type=vault&prefix=k&limit=1"])
      expect((await ask(path, { token: writer })).content).toEqual({ rows: [], next: null });
    const plain = Buffer.from(JSON.stringify({ type: "vault", key: "k1" })).toString("base64url");
    for (const path of ["/v1/states?prefix=k", `/v1/states?after=${plain}`, `/v1/agents?after=${"A".repeat(379)}`])
      expect((await ask(path, { token: writer })).status).toBe(400);
    expect((await ask("/v1/states?type=writer&prefix=k2", { token: writer })).content.rows).toHaveLength(1);
    const caller = await new RawWorker(link, "caller", { isAnnounced: true }).join();
    const cut = nameInPath(shownType);
    const agpath = `t1@vault/secret,t2@writer/b,t3@${nameInPath(secretType)}/k,t4@${cut}/k`;
    caller.request("1", "writer/a", { metadata: { agpath } });
    await worker.nextRequest();
    const [call] = (await ask("/v1/calls", { token: writer })).content.rows ?? [];
    expect(call).toMatchObject({ type: "writer", path: ["hidden", "writer/b", "hidden", `${cut}/k`] });
    await link.close();
  });

  test("a principal publishes CloudEvents to the topics that the rules allow, as itself", async () => {
    const { rig, ask, link, worker } = await openRig();
    await using _rig = rig;
    await worker.subscribe("s", { kind: "prefix", topicTypePrefix: "", agentType: "writer" });
    const publish = (type: string, token: string) => {
      const attributes = { "ce-id": "1", "ce-source": "s", "ce-type": type, "ce-specversion": "1.0" };
      return ask("/v1/events", { token, method: "POST", headers: attributes });
    };
    expect((await publish("drafts", writer)).status).toBe(200);
    expect(await worker.nextEvent()).toMatchObject({ topicType: "drafts" });
    expect(await publish("news", writer)).toMatchObject({
      ...{ status: 403, content: { detail: expect.stringMatching(/^Not authorized to publish to this topic\. /) } },
    });
    expect((await publish("drafts", guest)).status).toBe(403);
    // Before the host reads anything of its data, which is none of JSON here.
    const headers = { "ce-id": "1", "ce-source": "s", "ce-type": "news", "ce-specversion": "1.0" };
    expect((await ask("/v1/events", { token: writer, method: "POST", headers, body: "{" })).status).toBe(403);
    expect((await ask("/v1/state?type=vault&key=k", { token: writer, method: "PUT", headers: endless })).status).toBe(
      403,
    );
    await link.close();
  });

  test("a page of another site gets nothing, though the browser shows a certificate by itself", async () => {
    const { rig, ask, link } = await openRig({ requestCert: true });
    await using _rig = rig;
    const pair = await authority.client("writer");
    expect((await ask("/v1/types", { pair })).content.rows).toMatchObject([{ type: "writer" }]);
    for (const headers of [
      { origin: "https://evil.example" },
      { origin: "null" },
      { "sec-fetch-site": "cross-site" },
      { "sec-fetch-site": "same-site" },
    ] as Record<string, string>[])
      for (const method of ["GET", "POST"])
        expect((await ask("/v1/agent/destroy?type=writer&key=k", { pair, method, headers })).status).toBe(403);
    await expect(ask("/v1/types")).rejects.toThrow();
    await link.close();
  });

  test("a renewed certificate is shown to new connections", async () => {
    const { rig, ask, link } = await openRig();
    await using _rig = rig;
    const other = await TestAuthority.create("another authority");
    rig.entry.reloadTls(await other.server());
    await expect(ask("/v1/types", { token: writer })).rejects.toThrow(/certificate/);
    rig.entry.reloadTls(server);
    expect((await ask("/v1/types", { token: writer })).status).toBe(200);
    await link.close();
  });
});
