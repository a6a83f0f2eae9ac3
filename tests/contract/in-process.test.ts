import { SingleThreadedAgentRuntime } from "../../src/core/index.ts";
import { describeAgentRuntime } from "./agent-runtime.ts";

describeAgentRuntime(
  "in process",
  async ({ caller, callee }) => {
    const runtime = new SingleThreadedAgentRuntime({ ...callee, ...caller });
    await runtime.start();
    return { caller: runtime, callee: runtime, close: () => runtime.close() };
  },
  {
    "one-runtime": "there is one runtime and nothing is remote",
  },
);
