/**
 * The way of browsers to agents: a `fetch` handler with calls, streams, runs, chats and topics over HTTP and server-sent events. It mounts in any server.
 * Nothing is reached that you do not expose. `troupe/client` is the other end.
 *
 * @example
 * ```ts
 * import { createServer } from "node:http";
 * import { defineMessage, SingleThreadedAgentRuntime } from "troupe";
 * import { createGateway, toNodeHandler } from "troupe/web";
 * import { z } from "zod";
 *
 * const AskPoem = defineMessage("AskPoem", z.object({ topic: z.string() }));
 * const runtime = new SingleThreadedAgentRuntime();
 * const gateway = createGateway(runtime, { expose: { poet: { messages: [AskPoem] } } });
 * const server = createServer(toNodeHandler(gateway));
 * ```
 *
 * @packageDocumentation
 */

export { createGateway, type Gateway } from "./gateway.ts";
export type {
  AgentKeyAsk,
  ExposedAgent,
  ExposedTopic,
  FindRequester,
  GatewayAction,
  GatewayAsk,
  GatewayLimitOptions,
  GatewayOptions,
} from "./gateway-options.ts";
export { toNodeHandler } from "./node-handler.ts";
export type { GatewayPeer } from "./requester.ts";
