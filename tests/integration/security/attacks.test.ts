import { describe, expect, it } from "vitest";
import { z } from "zod";
import { AgentId, ClosureAgent, defineMessage, TopicId, TypeSubscription } from "../../../src/core/index.ts";
import { GrpcWorkerAgentRuntime, GrpcWorkerAgentRuntimeHost } from "../../../src/grpc/index.ts";
import { certificateAuthenticator, tokenAuthenticator } from "../../../src/security/index.ts";
import { jwtAuthenticator } from "../../../src/security/jwt/index.ts";
import { grpcDialer, StatusCode } from "../../../src/transport/index.ts";
import { RawWorker } from "../../support/raw-worker.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";
import { TestAuthority } from "../../support/security/authority.ts";
import { TokenIssuer } from "../../support/security/token-issuer.ts";

const withToken = (token: string) => ({ metadata: { authorization: `Bearer ${token}` } });

const Note = defineMessage("Note", z.object({ text: z.string() }));

describe("an attacker from outside", () => {
  it("with a certificate of the right authority gets no call of another's client id, and does not learn that id", async () => {
    const authority = await TestAuthority.create();
    const [own, alice, mallory] = await Promise.all([
      authority.server(),
      authority.client("alice"),
      authority.client("mallory"),
    ]);
    const ca = authority.ca;
    await using host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0", {
      channelOptions: { tls: { ...own, ca, requestCert: true } },
      authenticator: certificateAuthenticator(),
    });
    await host.start();
    const dial = (pair: typeof alice) => grpcDialer({ tls: { ca, ...pair } }).dial(host.address);
    const [honest, evil] = [dial(alice), dial(mallory)];
    const victim = await new RawWorker(honest, "alice", { isAnnounced: true }).join();
    await victim.register("vault");
    const thief = new RawWorker(evil, "alice", { isAnnounced: true }).open();
    expect(await thief.ended).toMatchObject({ status: { code: StatusCode.permissionDenied } });
    const squatter = await new RawWorker(evil, "mallory", { isAnnounced: true }).join();
    const refusal = await squatter.register("vault").catch((error: unknown) => error);
    expect(JSON.stringify(refusal) + String(refusal)).not.toMatch(/alice|127\.0\.0\.1/);
    const caller = await new RawWorker(evil, "caller").join();
    for (let count = 0; count < 40; count += 1) {
      caller.request(String(count), "vault/k");
      expect((await victim.nextRequest()).target).toEqual({ type: "vault", key: "k" });
    }
    expect(await squatter.settled()).toEqual([]);
    await Promise.all([honest.close(), evil.close()]);
  });

  it("with forged, confused, expired or foreign tokens hears one and the same refusal, and no token is logged", async () => {
    await using issuer = await TokenIssuer.start();
    await using stranger = await TokenIssuer.start();
    const logger = new RecordingLogger();
    const authenticator = jwtAuthenticator({
      issuer: issuer.issuer,
      audience: issuer.audience,
      keys: issuer.url,
      logger,
    });
    await using host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0", { authenticator, logger });
    await host.start();
    const tokens = [
      await issuer.confusedToken("alice"),
      issuer.unsignedToken("alice"),
      await issuer.token("alice", { expiresInS: -3_600 }),
      await issuer.token("alice", { aud: "another" }),
      await stranger.token("alice"),
      await issuer.token("alice", { cnf: { "x5t#S256": "thumbprint-of-alice" } }),
      "not-a-token-not-a-token",
    ];
    const heard = new Set<string>();
    for (const token of tokens) {
      const link = grpcDialer(withToken(token)).dial(host.address);
      const end = await new RawWorker(link, "W").open().ended;
      heard.add(JSON.stringify(end));
      await link.close();
    }
    expect([...heard]).toEqual([expect.stringContaining("The host does not know the caller.")]);
    const logged = JSON.stringify(logger.lines);
    for (const token of tokens) expect(logged).not.toContain(token.split(".").at(-1) || token);
    const link = grpcDialer(withToken(await issuer.token("alice"))).dial(host.address);
    await new RawWorker(link, "W").join();
    await link.close();
  });

  it("can't forge the sender of a Troupe worker's call; its own agents call and publish as before", async () => {
    const [aliceToken, bobToken] = ["alice-5f0c2b9d7e61", "bob-91c4d07a3be8f2"];
    const tokens = [
      { name: "alice", token: aliceToken },
      { name: "bob", token: bobToken },
    ];
    await using host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0", { authenticator: tokenAuthenticator({ tokens }) });
    await host.start();
    const worker = (token: string) => new GrpcWorkerAgentRuntime(host.address, { channelOptions: withToken(token) });
    await using alice = worker(aliceToken);
    await using bob = worker(bobToken);
    const senders: string[] = [];
    let told = () => {};
    const published = new Promise<void>((resolve) => {
      told = resolve;
    });
    await ClosureAgent.registerClosure(
      alice,
      "vault",
      async (_agent, _message, { sender, topicId }) => {
        senders.push(String(sender));
        if (topicId !== undefined) told();
      },
      { types: Note, subscriptions: [() => new TypeSubscription("notes", "vault")] },
    );
    await ClosureAgent.registerClosure(bob, "clerk", async () => {}, { types: Note });
    await Promise.all([alice.start(), bob.start()]);
    const vault = new AgentId("vault", "k");
    const forged = bob.sendMessage(Note({ text: "open" }), vault, { sender: new AgentId("vault", "root") });
    await expect(forged).rejects.toMatchObject({ code: "not-authorized" });
    await bob.sendMessage(Note({ text: "open" }), vault, { sender: new AgentId("clerk", "c") });
    const topic = new TopicId("notes", "s");
    await bob.publishMessage(Note({ text: "all" }), topic, { sender: new AgentId("admin", "root") });
    await bob.publishMessage(Note({ text: "all" }), topic, { sender: new AgentId("clerk", "c") });
    await published;
    expect(senders).toEqual(["clerk/c", "clerk/c"]);
    expect(host.counters().refusedSenders).toBe(2);
  });
});
