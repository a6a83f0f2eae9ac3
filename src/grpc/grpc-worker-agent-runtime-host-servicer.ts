import { HostServicer } from "../host/internal.ts";

/**
 * AutoGen's name for the servicer of `agents.AgentRpc`: `openChannel`, `openControlChannel`, `registerAgent`, `addSubscription`,
 * `removeSubscription`, `getSubscriptions`, `getState`, `saveState`. To serve it on a listener of your own, hand over `asLinkService()` and
 * `asHealthService()`.
 */
export class GrpcWorkerAgentRuntimeHostServicer extends HostServicer {}
