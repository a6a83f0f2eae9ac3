// A host that knows its callers, or not: `host open|known|rules|quotas|tls [CERTIFICATE KEY]`.
import { readFileSync } from "node:fs";
import { GrpcWorkerAgentRuntimeHost } from "troupe/grpc";
import { type AccessRule, accessRules, functionAuthenticator, quotaRules } from "troupe/security";
import { tell } from "../support/peer-commands.ts";

const [protection = "open", certFile, keyFile] = process.argv.slice(2);
const isKnown = protection === "known" || protection === "rules" || protection === "quotas";
const hasRules = protection === "rules" || protection === "quotas";

/** Enough rules that a decision which is not kept would show. */
const list: readonly AccessRule[] = [
  ...Array.from({ length: 50 }, (_, index) => ({ principal: `other-${index}`, allow: "call" as const, types: "*" })),
  { role: "worker", allow: "*", types: "*", topics: "*" },
];

const host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0", {
  ...(isKnown && { authenticator: functionAuthenticator(() => ({ name: "generator", roles: ["worker"] })) }),
  ...(hasRules && { rules: accessRules(list) }),
  ...(protection === "quotas" && {
    quotas: quotaRules([
      // None of them is ever reached.
      { principal: "*", channels: 1_000, calls: 1_000_000, messagesPerSecond: 2 ** 40, bytesPerSecond: 2 ** 50 },
      { address: "*", channels: 1_000, calls: 1_000_000, messagesPerSecond: 2 ** 40, bytesPerSecond: 2 ** 50 },
    ]),
  }),
  ...(certFile !== undefined &&
    keyFile !== undefined && {
      channelOptions: { tls: { cert: readFileSync(certFile), key: readFileSync(keyFile) } },
    }),
});
await host.start();
tell("ready", { address: host.address });
