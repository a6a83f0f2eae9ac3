import type { GatewayOptions } from "troupe/web";
import { SingleThreadedAgentRuntime } from "../../../src/core/index.ts";
import { Stage } from "../../contract/gateway/world.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";

/** A gateway in one process with its agents, and what these log. */
export async function openStage(
  options: GatewayOptions = {},
): Promise<{ readonly stage: Stage; readonly logger: RecordingLogger } & AsyncDisposable> {
  const logger = new RecordingLogger();
  const openWorld = async () => {
    const runtime = new SingleThreadedAgentRuntime({ logger });
    await runtime.start();
    return { front: runtime, agents: runtime, close: () => runtime.close() };
  };
  const stage = await Stage.open(openWorld, options);
  return { stage, logger, [Symbol.asyncDispose]: () => stage[Symbol.asyncDispose]() };
}

/** A principal named as the token that a request shows. */
export const byToken = (request: Request): { readonly name: string } | undefined => {
  const [, name] = /^Bearer (.+)$/.exec(request.headers.get("authorization") ?? "") ?? [];
  return name === undefined ? undefined : { name };
};

export const as = (name: string): { readonly authorization: string } => ({ authorization: `Bearer ${name}` });
