import type { AccessRules } from "../../security/internal.ts";
import { RpcError, StatusCode } from "../../transport/internal.ts";
import { limits } from "../limits.ts";
import type { DrainOutcome, WorkerDrains } from "../placement/worker-drains.ts";
import type { Principal } from "../principal.ts";
import { encodeJson, fieldsIn } from "./host-status.ts";
import { isFields, isWhole, type ToldFields, told } from "./rows/told-values.ts";
import { readPrincipal, viewerOf } from "./rows/viewer.ts";

/** Bytes of a question or an answer that is read. */
const mostBytes = 8 * 1024 * 1024;

/** A drain of a worker, as one host asks another for it. */
export interface DrainQuestion {
  readonly workerId: string;
  /** Undefined: the time of the host that has the worker. */
  readonly graceMs: number | undefined;
  /** Undefined: the operator of the other host's machine asks. */
  readonly principal: Principal | undefined;
}

export function encodeDrain({ workerId, graceMs, principal }: DrainQuestion): Uint8Array {
  const asker = principal && { name: principal.name, roles: principal.roles, attributes: principal.attributes };
  return encodeJson({ worker: workerId, graceMs, principal: asker });
}

// protocol.md §12.5
/** Drains a worker of this host for another one. The answer comes when the drain is over. */
export async function answerDrain(
  request: Uint8Array,
  { drains, rules }: { readonly drains: Pick<WorkerDrains, "drainWorker">; readonly rules: AccessRules | undefined },
): Promise<Uint8Array> {
  const question = readDrain(request);
  if (question === undefined) throw new RpcError(StatusCode.invalidArgument, "The drain of a worker can't be read.");
  const { workerId, graceMs, principal } = question;
  if (!viewerOf(principal, rules).may("administer", "", { isPrefix: true }))
    throw new RpcError(StatusCode.permissionDenied, "Its rules do not let you drain a worker. Ask its operator.");
  return encodeJson(await drains.drainWorker(workerId, { graceMs }));
}

function readDrain(bytes: Uint8Array): DrainQuestion | undefined {
  const fields = fieldsIn(bytes, mostBytes);
  if (fields === undefined) return undefined;
  const { worker, graceMs } = fields;
  const principal = readPrincipal(fields.principal);
  if (typeof worker !== "string" || principal === null) return undefined;
  if (graceMs !== undefined && !(isWhole(graceMs) && graceMs <= limits.longestDrainMs)) return undefined;
  return { workerId: worker, graceMs, principal };
}

/** Reads the outcome that another host tells. Undefined: it is something else. */
export function readDrainOutcome(bytes: Uint8Array): DrainOutcome | undefined {
  const fields = fieldsIn(bytes, mostBytes);
  return isFields(fields) ? outcomeIn(fields) : undefined;
}

function outcomeIn(fields: ToldFields): DrainOutcome | undefined {
  const { at } = fields;
  const leftAgents = told.count(fields.leftAgents);
  switch (at) {
    case "drained": {
      const [revokedAgents, hasAnswered] = [told.count(fields.revokedAgents), told.flag(fields.hasAnswered)];
      if (leftAgents === undefined || revokedAgents === undefined || hasAnswered === undefined) return undefined;
      return { at, leftAgents, revokedAgents, hasAnswered };
    }
    case "gone":
      return leftAgents === undefined ? undefined : { at, leftAgents };
    case "keeps-agents":
    case "unknown":
      return { at };
    default:
      return undefined;
  }
}
