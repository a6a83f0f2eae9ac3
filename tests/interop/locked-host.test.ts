import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { GrpcWorkerAgentRuntimeHost } from "../../src/grpc/index.ts";
import { tokenAuthenticator } from "../../src/security/index.ts";
import { haproxyOfWorker, ProxyProcess, whyNot } from "../e2e/proxies/support/proxy-process.ts";
import { TestAuthority } from "../support/security/authority.ts";
import { generations } from "./support/generations.ts";
import { callFrom, publishFrom, startPythonWorker } from "./support/python-peers.ts";

const [serverToken, callerToken] = ["python-server-5f0c2b9d", "python-caller-91c4d07a"];
const tokens = [
  { name: "server", token: serverToken },
  { name: "caller", token: callerToken },
];

for (const generation of generations) {
  describe.skipIf(generation.skipReason)(
    `a host with TLS, client certificates and tokens, and ${generation.title}`,
    () => {
      test("serves unmodified workers by the proxy beside each: calls and events go on, each worker has its principal", async (context) => {
        const folder = mkdtempSync(join(tmpdir(), "troupe-"));
        const [ca, worker] = [join(folder, "ca.crt"), join(folder, "worker.pem")];
        const kind = haproxyOfWorker({ ca, worker });
        const reason = whyNot(kind);
        if (reason !== undefined) return context.skip(reason);
        try {
          const authority = await TestAuthority.create();
          const [own, client] = await Promise.all([authority.server(), authority.client("fleet")]);
          writeFileSync(ca, authority.ca);
          writeFileSync(worker, `${client.cert}${client.key}`);
          await using host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0", {
            channelOptions: { tls: { ...own, ca: authority.ca, requestCert: true } },
            authenticator: tokenAuthenticator({ tokens }),
          });
          await host.start();
          const beside = (TROUPE_TOKEN: string) =>
            ProxyProcess.start(kind, { host: host.address, environment: { TROUPE_TOKEN } });
          await using besideServer = await beside(serverToken);
          await using besideCaller = await beside(callerToken);
          await using serving = await startPythonWorker(generation, besideServer.address, [
            { kind: "echo", type: "echo" },
            { kind: "collector", type: "collector", subscriptions: [{ topicType: "news" }] },
          ]);
          await using calling = await startPythonWorker(generation, besideCaller.address);
          const hello = { type: "MyMessage", message: { content: "hello" } };
          expect(await callFrom(calling, "echo/k", hello)).toMatchObject({ event: "answer", ...hello });
          await publishFrom(calling, "news/today", hello);
          expect(await serving.next("received", { agent: "collector/today" })).toMatchObject(hello);
          const { sessions } = await host.inspect();
          expect(sessions.map(({ principal }) => principal?.name).sort()).toEqual(["caller", "server"]);
          expect(host.counters().refusedSenders).toBe(0);
        } finally {
          rmSync(folder, { recursive: true });
        }
      });
    },
  );
}
