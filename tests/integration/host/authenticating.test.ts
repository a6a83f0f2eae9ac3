import { describe, expect, it } from "vitest";
import { GrpcWorkerAgentRuntime, GrpcWorkerAgentRuntimeHost } from "../../../src/grpc/index.ts";
import { Host, type HostOccurrence } from "../../../src/host/index.ts";
import { limits } from "../../../src/host/limits.ts";
import {
  type Authentication,
  type Authenticator,
  authenticatorsInTurn,
  certificateAuthenticator,
  functionAuthenticator,
  tokenAuthenticator,
} from "../../../src/security/index.ts";
import { ManualClock } from "../../../src/testing/index.ts";
import { grpcDialer, grpcListener, StatusCode } from "../../../src/transport/index.ts";
import { everyCall } from "../../support/every-call.ts";
import { hostTransports } from "../../support/host-transports.ts";
import { RawWorker } from "../../support/raw-worker.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";
import { TestAuthority } from "../../support/security/authority.ts";

const [aliceToken, bobToken] = ["alice-5f0c2b9d7e61", "bob-91c4d07a3be8f2"];
const tokens = [
  { name: "alice", token: aliceToken, roles: ["writer"] },
  { name: "bob", token: bobToken },
];
const unknown = {
  code: StatusCode.unauthenticated,
  details: "The host does not know the caller. Show it a token or a certificate that it accepts.",
};

function of(token: string) {
  return { metadata: { authorization: `Bearer ${token}` } };
}

describe.each(hostTransports)("a host with an authenticator, over $name", ({ start }) => {
  it.each(everyCall)("refuses %s of a caller that it does not know", async (_name, refusalOf) => {
    await using rig = await start({ authenticator: tokenAuthenticator({ tokens }) });
    expect(await refusalOf(rig.dial())).toEqual(unknown);
    expect(rig.host.counters()).toMatchObject({ deniedCalls: 1, channels: 0, controlChannels: 0, agentTypes: 0 });
  });

  it("tells a caller the same whatever was wrong; log and observer get the reason, and no token", async () => {
    const logger = new RecordingLogger();
    const seen: HostOccurrence[] = [];
    const answers = [
      { at: "unknown", reason: "it shows no token" },
      { at: "refused", reason: "its token is refused: expired" },
    ] as const;
    let index = 0;
    const authenticate = () => answers[index++] ?? Promise.reject(new Error("no answer is left"));
    await using rig = await start({
      authenticator: { authenticate },
      logger,
      observer: (what) => void seen.push(what),
    });
    for (let count = 0; count < 3; count += 1) {
      const worker = new RawWorker(rig.dial(), "W", of("wrong-wrong-wrong-wrong")).open();
      expect(await worker.ended).toMatchObject({ status: unknown });
    }
    const reasons = seen.map((what) => (what.at === "denied" ? what.reason : what.at));
    expect(reasons).toEqual([answers[0]?.reason, answers[1]?.reason, "the authenticator failed"]);
    expect(logger.texts("error")).toEqual(["the authenticator failed; the call is refused"]);
    expect(JSON.stringify([logger.lines, seen])).not.toContain("wrong-wrong");
  });

  it.each([
    undefined,
    null,
    1,
    "known",
    {},
    { at: "known" },
    { at: "known", principal: { name: "" } },
    { at: "other" },
  ])("refuses a caller when its authenticator answers %j", async (answer) => {
    // @ts-expect-error programs in JavaScript may answer so
    await using rig = await start({ authenticator: { authenticate: () => answer } });
    expect(await new RawWorker(rig.dial(), "W").open().ended).toMatchObject({ status: unknown });
  });

  it("answers UNAVAILABLE while its authenticator can't find out, so that workers try again", async () => {
    const outcome: Authentication = { at: "unavailable", reason: "the keys can't be read" };
    await using rig = await start({ authenticator: { authenticate: () => outcome } });
    const { unavailable: code } = StatusCode;
    const details = "The host can't find out now who calls. Try again later.";
    expect(await new RawWorker(rig.dial(), "W").open().ended).toMatchObject({ status: { code, details } });
  });

  it("waits 30 s for its authenticator, and takes no late answer", async () => {
    const clock = new ManualClock();
    let asked = () => {};
    const isAsked = new Promise<void>((resolve) => {
      asked = resolve;
    });
    const authenticator = functionAuthenticator(() => {
      asked();
      return new Promise(() => {});
    });
    await using rig = await start({ authenticator, clock });
    const worker = new RawWorker(rig.dial(), "W").open();
    await isAsked;
    clock.advance(limits.admissionMs);
    const details = "The host's authenticator did not answer within 30000 ms.";
    expect(await worker.ended).toMatchObject({ status: { code: StatusCode.unavailable, details } });
  });

  it("keeps a client id to the principal of a token", async () => {
    await using rig = await start({ authenticator: tokenAuthenticator({ tokens }) });
    await new RawWorker(rig.dial(), "W", of(aliceToken)).join();
    const thief = new RawWorker(rig.dial(), "W", of(bobToken)).open();
    expect(await thief.ended).toMatchObject({ status: { code: StatusCode.permissionDenied } });
    const { sessions } = await rig.host.inspect();
    expect(sessions.map(({ principal }) => principal)).toEqual([
      { name: "alice", roles: ["writer"], knownBy: "token" },
    ]);
  });
});

describe("a host with an authenticator", () => {
  it("knows workers by their certificates over mutual TLS, and by tokens where they show none", async () => {
    const authority = await TestAuthority.create();
    const [own, alice] = await Promise.all([authority.server(), authority.client("alice")]);
    await using host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0", {
      channelOptions: { tls: { ...own, ca: authority.ca, requestCert: true, rejectUnauthorized: false } },
      authenticator: authenticatorsInTurn(certificateAuthenticator(), tokenAuthenticator({ tokens })),
    });
    await host.start();
    const ca = authority.ca;
    await using byCertificate = new GrpcWorkerAgentRuntime(host.address, { channelOptions: { tls: { ca, ...alice } } });
    await using byToken = new GrpcWorkerAgentRuntime(host.address, {
      channelOptions: { tls: { ca }, ...of(bobToken) },
    });
    await Promise.all([byCertificate.start(), byToken.start()]);
    const { sessions } = await host.inspect();
    expect(new Set(sessions.map(({ principal }) => principal?.name))).toEqual(new Set(["alice", "bob"]));
    const stranger = new GrpcWorkerAgentRuntime(host.address, { channelOptions: { tls: { ca } } });
    await expect(stranger.start()).rejects.toMatchObject({ code: "not-authorized" });
  });

  it.each([
    ["first", (byToken: Authenticator, byCertificate: Authenticator) => [byToken, byCertificate]],
    ["last", (byToken: Authenticator, byCertificate: Authenticator) => [byCertificate, byToken]],
  ])(
    "refuses a caller whose token was taken out, although its certificate is valid (tokens are asked %s)",
    async (_place, order) => {
      const authority = await TestAuthority.create();
      const [own, alice] = await Promise.all([authority.server(), authority.client("alice")]);
      const { ca } = authority;
      const authenticator = authenticatorsInTurn(...order(tokenAuthenticator({ tokens }), certificateAuthenticator()));
      await using host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0", {
        channelOptions: { tls: { ...own, ca, requestCert: true } },
        authenticator,
      });
      await host.start();
      const withToken = (token: string) =>
        new GrpcWorkerAgentRuntime(host.address, { channelOptions: { tls: { ca, ...alice }, ...of(token) } });
      await expect(withToken("alice-taken-out-2b9d").start()).rejects.toMatchObject({ code: "not-authorized" });
      await using bob = withToken(bobToken);
      await bob.start();
      const { sessions } = await host.inspect();
      expect(sessions.map(({ principal }) => principal?.name)).toEqual(["bob"]);
    },
  );

  it("does not take the word of a certificate that its authority has not signed", async () => {
    const [authority, other] = await Promise.all([TestAuthority.create(), TestAuthority.create()]);
    const listener = grpcListener({
      tls: { ...(await authority.server()), ca: authority.ca, requestCert: true, rejectUnauthorized: false },
    });
    await using host = new Host({ listener, address: "127.0.0.1:0" }, { authenticator: certificateAuthenticator() });
    await host.start();
    for (const shown of [await other.client("alice"), await authority.expired("alice"), await authority.server()]) {
      const link = grpcDialer({ tls: { ca: authority.ca, ...shown } }).dial(host.address);
      expect(await new RawWorker(link, "W").open().ended).toMatchObject({ status: unknown });
      await link.close();
    }
    const link = grpcDialer({ tls: { ca: authority.ca, ...(await authority.client("alice")) } }).dial(host.address);
    await new RawWorker(link, "W").join();
    await link.close();
  });

  it("takes no authorize beside it", () => {
    const authenticator = tokenAuthenticator({ tokens });
    const make = () => new GrpcWorkerAgentRuntimeHost("127.0.0.1:0", { authenticator, authorize: () => undefined });
    expect(make).toThrow("The options authenticator and authorize exclude each other.");
  });
});
