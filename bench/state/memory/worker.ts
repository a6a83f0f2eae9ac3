// A worker that fills with agents: `worker ADDRESS KIND`, with --expose-gc. Reports the bytes that each takes.
import { AgentId, handlerTable, RoutedAgent } from "troupe";
import { GrpcWorkerAgentRuntime } from "troupe/grpc";
import { usedBytes } from "../../memory/used-bytes.ts";
import { commands, tell } from "../../support/peer-commands.ts";
import { Look, Total } from "../calls/messages.ts";

class Empty extends RoutedAgent {
  static override readonly handlers = handlerTable<Empty>().rpc(Look, () => Total({ value: 0 }));
}

const options = {
  plain: {},
  idle: { idleAfterMs: 3_600_000 },
  capped: { maxLive: 10_000_000 },
  shared: { shared: true },
};

const [address = "", kind = ""] = process.argv.slice(2);
const runtime = new GrpcWorkerAgentRuntime(address);
await runtime.start();
// The keys of `options` are the kinds.
await Empty.register(runtime, "empty", () => new Empty("does nothing"), options[kind as keyof typeof options]);
tell("ready");
for await (const { prefix, count } of commands<{ readonly prefix: string; readonly count: number }>()) {
  const before = await usedBytes();
  let next = 0;
  const callSome = async () => {
    for (; next < count; ) {
      next += 1;
      await runtime.sendMessage(Look({}), new AgentId("empty", `${prefix}-${next - 1}`));
    }
  };
  await Promise.all(Array.from({ length: 256 }, callSome));
  tell("filled", { bytes: ((await usedBytes()) - before) / count });
}
process.exit(0);
