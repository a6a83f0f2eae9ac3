import { SingleThreadedAgentRuntime } from "../../src/core/index.ts";
import { describeAgentRuntime } from "./agent-runtime.ts";

describeAgentRuntime(
  "in process",
  async ({ caller, callee, stateStore }) => {
    const runtime = new SingleThreadedAgentRuntime({ ...callee, ...caller, stateStore });
    await runtime.start();
    return { caller: runtime, callee: runtime, close: () => runtime.close() };
  },
  {
    "one-runtime": "there is one runtime and nothing is remote",
  },
);
