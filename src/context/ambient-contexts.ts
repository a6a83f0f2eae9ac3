import type { AmbientContexts } from "../core/index.ts";
import { inFactory } from "./agent-instantiation-context.ts";
import { inHandler } from "./message-handler-context.ts";
import { inSubscription } from "./subscription-instantiation-context.ts";

/** Makes AutoGen's contexts ambient: `new SingleThreadedAgentRuntime({ ambient: ambientContexts })`. */
export const ambientContexts: AmbientContexts = { inFactory, inHandler, inSubscription };
