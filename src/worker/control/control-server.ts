import {
  type AgentCatalog,
  type AgentId,
  type Epoch,
  errorText,
  loggableError,
  loggableText,
  type RuntimeLog,
} from "../../core/internal.ts";
import {
  type ControlAnswer,
  type ControlRequest,
  controlFailure,
  formatControlError,
  formatToldMessages,
  fromWireAgentId,
} from "../../protocol/internal.ts";
import type { Claims } from "../claims/claims.ts";
import { inLoadContext } from "../load-context.ts";
import type { ControlServer } from "./control-channel.ts";
import { formatState, parseState } from "./state-text.ts";

export interface ControlServerOptions {
  readonly catalog: AgentCatalog;
  readonly claims: Claims;
  /** Returns the way back on the connection whose host passes the requests on. */
  readonly from: () => object;
  readonly logger: RuntimeLog;
}

/**
 * Creates a server that saves, loads, describes and deactivates agents of a catalog for other workers. To save, load or describe one
 * it makes an agent that does not live yet.
 */
// protocol.md §1.8
export function createControlServer({ catalog, claims, from, logger }: ControlServerOptions): ControlServer {
  const answer = async (request: ControlRequest, epoch: Epoch | undefined): Promise<ControlAnswer> => {
    try {
      if (request.agentId === undefined) return controlFailure(request, "The request names no agent.");
      const id = fromWireAgentId(request.agentId);
      if (!catalog.hasType(id.type)) return controlFailure(request, `Agent with name ${id.type} not found.`);
      if (epoch === undefined || catalog.sharingOf(id.type) === undefined) return await serve(request, id, catalog);
      return await claims.during(id, epoch, from(), () => serve(request, id, catalog));
    } catch (error) {
      const text = `A ${request.kind} over the control channel failed: ${errorText(error)}`;
      logger.warn(loggableText(text), { error: loggableError(error) }, "A request over the control channel failed");
      return controlFailure(request, formatControlError(error));
    }
  };
  return (request, epoch) => inLoadContext(() => answer(request, epoch));
}

async function serve(request: ControlRequest, id: AgentId, catalog: AgentCatalog): Promise<ControlAnswer> {
  switch (request.kind) {
    case "save-request":
      return { kind: "save-response", state: formatState(await catalog.saveState(id), id), error: undefined };
    case "load-request":
      await catalog.loadState(id, parseState(request.state, id));
      return { kind: "load-response", error: undefined };
    case "deactivate-request":
      await catalog.deactivate(id, "asked");
      return { kind: "deactivate-response", error: undefined };
    case "destroy-request":
      await catalog.deactivate(id, "destroyed");
      return { kind: "destroy-response", error: undefined };
    case "metadata-request": {
      if (request.onlyIfServed) {
        // Without a key it is a question about the type, for a form of its messages.
        const messages = id.key === "" ? formatToldMessages(catalog.messagesOf(id.type)) : undefined;
        return { kind: "metadata-response", type: id.type, key: id.key, description: "", error: undefined, messages };
      }
      const { type, key, description } = await catalog.metadata(id);
      return { kind: "metadata-response", type, key, description, error: undefined };
    }
  }
}
