import { createHash } from "node:crypto";
import { connect as connectTcp, type Socket } from "node:net";
import { connect } from "node:tls";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { GrpcWorkerAgentRuntimeHost } from "../../../src/grpc/index.ts";
import { encodeAgentId, method } from "../../../src/protocol/internal.ts";
import { accessRules, quotaRules } from "../../../src/security/index.ts";
import { jwtAuthenticator } from "../../../src/security/jwt/index.ts";
import { grpcDialer, type Link, StatusCode } from "../../../src/transport/index.ts";
import { RawControl } from "../../support/raw-control.ts";
import { exact, prefix, RawWorker, textOf, textPayload } from "../../support/raw-worker.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";
import { parsed, TestAuthority } from "../../support/security/authority.ts";
import { TokenIssuer } from "../../support/security/token-issuer.ts";

type Pair = Awaited<ReturnType<TestAuthority["client"]>>;

/** One host with TLS, client certificates, tokens, rules and quotas, for all attacks. Each test has client ids and types of its own. */
interface Locked {
  readonly authority: TestAuthority;
  readonly issuer: TokenIssuer;
  readonly host: GrpcWorkerAgentRuntimeHost;
  readonly logger: RecordingLogger;
  readonly pairs: { readonly alice: Pair; readonly mallory: Pair };
  /** Tokens that are bound to the certificates of their owners. */
  readonly tokens: { readonly alice: string; readonly mallory: string };
}

let locked: Locked;
let links: Link[] = [];
/** The texts of payloads, which no log may have. */
const secret = "gold-bars-in-row-7";
const callsOfMallory = 20;

beforeAll(async () => {
  const [authority, issuer] = await Promise.all([TestAuthority.create(), TokenIssuer.start()]);
  const [own, alice, mallory] = await Promise.all([
    authority.server(),
    authority.client("alice"),
    authority.client("mallory"),
  ]);
  const logger = new RecordingLogger();
  const { issuer: name, audience, url: keys } = issuer;
  const host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0", {
    channelOptions: { tls: { ...own, ca: authority.ca, requestCert: true } },
    authenticator: jwtAuthenticator({ issuer: name, audience, keys, logger }),
    rules: accessRules([
      { name: "owner", principal: "alice", allow: "*", types: "*", topics: "*" },
      { name: "market", principal: "mallory", allow: ["register", "call"], types: ["market*", "vault*"] },
      { name: "news", principal: "mallory", allow: ["publish", "subscribe"], topics: "open*" },
    ]),
    quotas: quotaRules([{ principal: "mallory", calls: callsOfMallory }]),
    heartbeatTimeoutMs: 0,
    logger,
  });
  await host.start();
  const boundTo = ({ cert }: Pair) => ({ cnf: { "x5t#S256": thumbprint({ cert }) } });
  const tokens = {
    alice: await issuer.token("alice", boundTo(alice)),
    mallory: await issuer.token("mallory", boundTo(mallory)),
  };
  locked = { authority, issuer, host, logger, pairs: { alice, mallory }, tokens };
});

afterAll(async () => {
  await locked.host.stop(0);
  await locked.issuer[Symbol.asyncDispose]();
});

beforeEach(() => {
  links = [];
});

afterEach(async () => {
  await Promise.all(links.map((link) => link.close()));
  // After each attack: the log has no secret, and no line that an attacker made.
  const { logger, tokens, pairs } = locked;
  const secrets = [
    ...Object.values(tokens),
    ...Object.values(pairs).map(({ key }) => key.split("\n")[1] ?? ""),
    secret,
  ];
  const texts = logger.lines.flatMap(({ text, fields }) => [text, ...textsIn(fields)]);
  for (const text of texts) {
    for (const one of secrets) expect(text).not.toContain(one.slice(-40));
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what the log must not have
    expect(text).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/);
    expect(text.length).toBeLessThanOrEqual(2_500);
  }
});

function thumbprint(pair: Pick<Pair, "cert">): string {
  return createHash("sha256")
    .update(parsed({ key: "", ...pair }).raw)
    .digest("base64url");
}

function textsIn(value: unknown): string[] {
  if (typeof value === "string") return [value];
  if (value instanceof Error) return [value.message];
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(textsIn) : [];
}

function dial(token: string, pair: Pair): Link {
  const { host, authority } = locked;
  const options = { tls: { ca: authority.ca, ...pair }, metadata: { authorization: `Bearer ${token}` } };
  const link = grpcDialer(options).dial(host.address);
  links.push(link);
  return link;
}

const as = (who: "alice" | "mallory"): Link => dial(locked.tokens[who], locked.pairs[who]);

async function joined(who: "alice" | "mallory", id: string): Promise<RawWorker> {
  return new RawWorker(as(who), id, { isAnnounced: true }).join();
}

/** Alice's worker, which serves a type, and one of mallory's. */
async function pair(test: string): Promise<{ readonly alice: RawWorker; readonly mallory: RawWorker }> {
  const alice = await joined("alice", `A-${test}`);
  await alice.register(`vault-${test}`);
  return { alice, mallory: await joined("mallory", `M-${test}`) };
}

const refused = { code: StatusCode.permissionDenied };

describe("an attacker who has a certificate and a token of his own, at a host with TLS, tokens, rules and quotas", () => {
  it("can't open another's client id, register in its name, or learn it", async () => {
    const { alice, mallory } = await pair("id");
    const thief = new RawWorker(as("mallory"), "A-id", { isAnnounced: true });
    expect(await thief.open().ended).toMatchObject({ status: refused });
    const named = await thief.register("market-id").catch((error: unknown) => error);
    expect(named).toMatchObject(refused);
    const taken = await mallory.register("vault-id").catch((error: unknown) => error);
    for (const refusal of [named, taken]) expect(JSON.stringify(refusal) + String(refusal)).not.toMatch(/alice|127\.0/);
    const caller = await joined("alice", "C-id");
    caller.request("1", "vault-id/k");
    expect((await alice.nextRequest()).target).toEqual({ type: "vault-id", key: "k" });
  });

  it("can't take or share an agent type that another serves, nor subscribe for it", async () => {
    const { mallory } = await pair("squat");
    await expect(mallory.register("vault-squat")).rejects.toBeInstanceOf(Error);
    await expect(mallory.register("vault-squat", { agshared: "1" })).rejects.toBeInstanceOf(Error);
    const own = await mallory.subscribe("S", exact("open", "vault-squat")).catch((error: unknown) => error);
    expect(String(own)).toContain("Another principal serves the agent type vault-squat.");
  });

  it("hears no event by a prefix of all topics, and those alone that its rule allows", async () => {
    const { alice, mallory } = await pair("prefix");
    await mallory.register("market-prefix");
    for (const topics of ["", "secret", "o"])
      await expect(mallory.subscribe(`S-${topics}`, prefix(topics, "market-prefix"))).rejects.toMatchObject(refused);
    await mallory.subscribe("S", prefix("open-prefix", "market-prefix"));
    alice.publish("secret-prefix");
    alice.publish("open-prefix-1");
    expect(await mallory.nextEvent()).toMatchObject({ topicType: "open-prefix-1" });
    expect((await mallory.settled()).filter(({ kind }) => kind === "event")).toEqual([]);
  });

  it("can't answer in another's place, though it knows the id of the call", async () => {
    const { alice, mallory } = await pair("answer");
    const caller = await joined("alice", "C-answer");
    caller.request("1", "vault-answer/k", { payload: textPayload(secret) });
    const { requestId } = await alice.nextRequest();
    const { strayAnswers } = locked.host.counters();
    for (const id of [requestId, "1"]) mallory.respond(id, "forged");
    await mallory.settled();
    alice.respond(requestId, "true");
    expect(textOf(await caller.nextResponse())).toBe("true");
    expect(locked.host.counters().strayAnswers).toBeGreaterThan(strayAnswers);
  });

  it("can't forge the sender of calls and events, nor the principal that a handler reads", async () => {
    const { alice, mallory } = await pair("sender");
    await alice.register("vault-told", { agtellsprincipal: "1" });
    await alice.subscribe("T", exact("open-sender", "vault-told"));
    for (const source of [
      { type: "vault-sender", key: "root" },
      { type: "admin", key: "root" },
    ]) {
      mallory.request("1", "vault-told/k", { source });
      const { metadata } = await mallory.nextResponse();
      expect(metadata).toMatchObject({ agerrorcode: "not-authorized" });
      const event = {
        id: "E",
        topicType: "open-sender",
        topicSource: "s",
        sender: source,
        payload: textPayload(secret),
      };
      mallory.send({ kind: "event", event: { ...event, attributes: {} } });
    }
    mallory.request("2", "vault-told/k", { metadata: { agprincipal: "alice" } });
    expect((await alice.nextRequest()).metadata).toMatchObject({ agprincipal: "mallory" });
    expect((await alice.settled()).filter(({ kind }) => kind === "event")).toEqual([]);
  });

  it("can't read, write or end another's agent, nor see or remove its subscriptions", async () => {
    const { alice, mallory } = await pair("state");
    await alice.subscribe("of-alice-state", exact("secret", "vault-state"));
    const victim = await RawControl.open(alice.link, "A-state");
    const stranger = await RawControl.open(mallory.link, "M-state");
    const agentId = { type: "vault-state", key: "a" };
    for (const destination of ["agentid=vault-state/a", "clientid=A-state"])
      for (const kind of ["save-request", "load-request", "destroy-request"] as const) {
        const body = kind === "load-request" ? ({ kind, agentId, state: "{}" } as const) : ({ kind, agentId } as const);
        stranger.send({ rpcId: kind, destination, respondTo: "clientid=M-state", body });
        expect(await stranger.next()).toMatchObject({ rpcId: kind, body: { error: expect.stringMatching(/.+/) } });
      }
    expect(await victim.settled()).toEqual([]);
    const get = mallory.unary(method.getState, encodeAgentId(agentId));
    await expect(get).rejects.toMatchObject(refused);
    expect(await mallory.subscriptions()).toEqual([]);
    await mallory.unsubscribe("of-alice-state").catch(() => undefined);
    expect((await alice.subscriptions()).map(({ id }) => id)).toContain("of-alice-state");
  });

  it("writes no line of its own into the log by names, whatever they hold", async () => {
    const { mallory } = await pair("log");
    const line = '\n\u001b[31m{"level":"error","msg":"forged"}\r\u2028'.repeat(20);
    const before = locked.logger.lines.length;
    await expect(mallory.register(`evil${line}`)).rejects.toBeInstanceOf(Error);
    await expect(mallory.subscribe(line, exact(line, `evil${line}`))).rejects.toBeInstanceOf(Error);
    mallory.request(line, `evil${line}/k`, { source: { type: line, key: line } });
    mallory.publish(line, line);
    const control = await RawControl.open(mallory.link, "M-log");
    control.send({ rpcId: line, destination: `agentid=${line}/x`, respondTo: "clientid=M-log", body: undefined });
    await Promise.all([mallory.settled(), control.settled()]);
    expect(locked.logger.lines.length).toBeGreaterThan(before);
  });

  it("is refused calls beyond its quota at once, and other callers are not hurt", async () => {
    const { alice, mallory } = await pair("flood");
    const count = 2 * callsOfMallory;
    for (let number = 0; number < count; number += 1) mallory.request(`${number}`, "vault-flood/k");
    for (let number = callsOfMallory; number < count; number += 1)
      expect((await mallory.nextResponse()).metadata).toMatchObject({ agerrorcode: "overloaded" });
    const caller = await joined("alice", "C-flood");
    caller.request("own", "vault-flood/mine");
    for (;;) {
      const { requestId, target } = await alice.nextRequest();
      if (target?.key === "mine") {
        alice.respond(requestId, "served");
        break;
      }
    }
    expect(textOf(await caller.nextResponse())).toBe("served");
  });
});

describe("an attacker with what is not his", () => {
  it("hears one refusal for tokens that are stolen, expired, foreign, confused or unsigned", async () => {
    const { issuer, tokens, pairs } = locked;
    await using stranger = await TokenIssuer.start();
    await (await joined("alice", "A-token")).settled();
    const cnf = { "x5t#S256": thumbprint(pairs.mallory) };
    const heard = new Set<string>();
    for (const token of [
      // Alice's own token, which has just been taken, with another's certificate.
      tokens.alice,
      await issuer.token("alice", { expiresInS: -3_600, cnf }),
      await issuer.token("alice", { aud: "another", cnf }),
      await issuer.confusedToken("alice"),
      issuer.unsignedToken("alice"),
      await stranger.token("alice", { cnf }),
      "not-a-token-not-a-token",
    ]) {
      const end = await new RawWorker(dial(token, pairs.mallory), "W-token").open().ended;
      heard.add(JSON.stringify(end));
    }
    expect([...heard]).toEqual([expect.stringContaining("The host does not know the caller.")]);
  });

  it("gets no further than the handshake with a certificate that is over, foreign or for hosts, with none, or with an old TLS", async () => {
    const { authority, host } = locked;
    const other = await TestAuthority.create();
    const old = { minVersion: "TLSv1", maxVersion: "TLSv1.1", ciphers: "DEFAULT@SECLEVEL=0" } as const;
    for (const own of [
      {},
      await authority.expired("alice"),
      await authority.server(),
      await other.client("alice"),
      { ...locked.pairs.mallory, ...old },
    ]) {
      const heard = await new Promise<string>((resolve) => {
        let text = "";
        const to = { host: "127.0.0.1", port: portOf(host.address), ca: authority.ca, ALPNProtocols: ["h2"] };
        const socket = connect({ ...to, ...own });
        // Over TLS 1.3 a client learns only by what comes next that it was refused.
        socket.once("secureConnect", () => socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\u0004\0\0\0\0\0"));
        socket.on("data", (data) => {
          text += data.toString("latin1");
          socket.destroy();
        });
        socket.on("error", () => undefined).once("close", () => resolve(text));
      });
      expect(heard).toBe("");
    }
  });

  it("keeps no known caller out by connections that say nothing, or only begin TLS", async () => {
    const { host, authority, pairs } = locked;
    const port = portOf(host.address);
    const silent: Socket[] = Array.from({ length: 100 }, () => connectTcp(port, "127.0.0.1"));
    silent.push(
      ...Array.from({ length: 10 }, () =>
        connect({ host: "127.0.0.1", port, ca: authority.ca, ...pairs.mallory, ALPNProtocols: ["h2"] }),
      ),
    );
    for (const socket of silent) socket.on("error", () => undefined);
    const { alice } = await pair("silent");
    const caller = await joined("alice", "C-silent");
    caller.request("1", "vault-silent/k");
    alice.respond((await alice.nextRequest()).requestId, "served");
    expect(textOf(await caller.nextResponse())).toBe("served");
    for (const socket of silent) socket.destroy();
  });
});

function portOf(address: string): number {
  return Number(address.slice(address.lastIndexOf(":") + 1));
}
