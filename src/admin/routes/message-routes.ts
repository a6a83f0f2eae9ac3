import type { ListedCall, ListedSubscription } from "../../host/internal.ts";
import type { AdminRights } from "../admin-rights.ts";
import type { AdminRoute } from "../admin-route.ts";
import type { Failure } from "../model/failure.ts";
import type { HostModel } from "../model/host-model.ts";
import { formatCursor, limitOf, numberAfter, type Page, pageParameters } from "../pages.ts";

/** A call that has no outcome yet. */
export interface CallRow {
  /** Grows with each call of the host. */
  readonly number: number;
  readonly type: string;
  /** The first 256 characters. */
  readonly key: string;
  /** The client that calls. */
  readonly callerId: string;
  /** The principal that calls. Null: an anonymous one. */
  readonly principal: string | null;
  /** The client that has the call. Null: it waits for one. */
  readonly targetId: string | null;
  readonly ageMs: number | null;
  /** Null: the call has no time limit. */
  readonly timeoutMs: number | null;
  /** True: the worker has said that the call waits long for its turn. */
  readonly isStuck: boolean;
  /** The agents whose turns wait for the call, `type/key`, outermost first. `hidden`: one of a type that the caller may not see. */
  readonly path: readonly string[];
  /** The trace that the caller records. */
  readonly traceId: string | null;
}

/** A subscription of a connected worker. */
export interface TopicRow {
  readonly id: string;
  readonly type: string;
  /** A topic type; with `*` behind it all topic types that begin so. */
  readonly topic: string;
  readonly clientId: string;
  readonly principal: string | null;
}

/** The newest failures. */
export interface FailurePage extends Page<Failure> {
  /** Failures that the host has forgotten, because there was no space for all. */
  readonly forgotten: number;
}

/** Calls under way, subscriptions, and what has failed. */
export function messageRoutes(model: HostModel): readonly AdminRoute[] {
  return [
    {
      ...{ method: "GET", path: "/v1/calls", need: "nothing" },
      parameters: ["type", "key", "principal", "client", "minAgeMs", ...pageParameters],
      handle: async ({ query, rights, signal }): Promise<Page<CallRow>> => {
        const [type, key] = [query.text("type"), query.text("key")];
        const [principal, client] = [query.text("principal"), query.text("client")];
        const minAgeMs = query.whole("minAgeMs", { from: 0, to: Number.MAX_SAFE_INTEGER }) ?? 0;
        const isWanted = (call: ListedCall): boolean =>
          fits(type, call.type) &&
          fits(key, call.key) &&
          fits(principal, call.principal) &&
          (client === undefined || client === call.callerId || client === call.targetId) &&
          (call.ageMs ?? 0) >= minAgeMs &&
          rights.may("see", call.type);
        const asked = { after: numberAfter(query) ?? 0, limit: limitOf(query), isWanted };
        const { rows, next } = await model.calls(asked, signal);
        return {
          rows: rows.map((call) => callRow(call, rights)),
          next: next === undefined ? null : formatCursor(next),
        };
      },
    },
    {
      ...{ method: "GET", path: "/v1/topics", need: "nothing" },
      parameters: ["type", "topic", "reachedBy", "principal", ...pageParameters],
      handle: async ({ query, rights, signal }): Promise<Page<TopicRow>> => {
        const [type, topic, principal] = [query.text("type"), query.text("topic"), query.text("principal")];
        const reachedBy = query.text("reachedBy");
        const isWanted = ({ agentType, topicType, isPrefix, principal: own }: ListedSubscription): boolean =>
          fits(type, agentType) &&
          fits(topic, isPrefix ? `${topicType}*` : topicType) &&
          (reachedBy === undefined || (isPrefix ? reachedBy.startsWith(topicType) : reachedBy === topicType)) &&
          fits(principal, own) &&
          rights.may("see", agentType) &&
          rights.may("watch", topicType, { isPrefix });
        const asked = { after: numberAfter(query) ?? 0, limit: limitOf(query), isWanted };
        const { rows, next } = await model.subscriptions(asked, signal);
        return { rows: rows.map(topicRow), next: next === undefined ? null : formatCursor(next) };
      },
    },
    {
      ...{ method: "GET", path: "/v1/failures", need: "nothing" },
      parameters: ["kind", "type", "key", "topic", "code", ...pageParameters],
      handle: async ({ query, rights }): Promise<FailurePage> => {
        const wanted = (["kind", "type", "key", "topic", "code"] as const).map(
          (name) => [name, query.text(name)] as const,
        );
        const seesAll = rights.may("see", "", { isPrefix: true });
        const maySee = ({ type, topic }: Failure): boolean =>
          topic !== null ? rights.may("watch", topic) : type !== null ? rights.may("see", type) : seesAll;
        const isWanted = (failure: Failure): boolean =>
          wanted.every(([name, value]) => fits(value, failure[name])) && maySee(failure);
        const before = numberAfter(query) ?? Number.POSITIVE_INFINITY;
        const { rows, next } = model.failures.list({ before, limit: limitOf(query), isWanted });
        return { rows, next: next === undefined ? null : formatCursor(next), forgotten: model.failures.forgotten };
      },
    },
  ];
}

/** Stands for an agent that the caller may not see. */
const hiddenTurn = "hidden";

/** Whether a value is the one that is asked for; undefined: any is. */
function fits(wanted: string | undefined, value: string | null | undefined): boolean {
  return wanted === undefined || wanted === value;
}

function callRow(
  { principal, targetId, ageMs, timeoutMs, path, traceId, sender: _, ...call }: ListedCall,
  rights: AdminRights,
): CallRow {
  // protocol.md §11.13: token@type/key, …
  const turns = path === "" ? [] : path.split(",").map((turn) => turn.slice(turn.indexOf("@") + 1));
  return {
    ...{ ...call, principal: principal ?? null, targetId: targetId ?? null },
    ...{ ageMs: ageMs ?? null, timeoutMs: timeoutMs ?? null },
    path: turns.map((turn) => (maySeeType(turn.slice(0, turn.indexOf("/")), rights) ? turn : hiddenTurn)),
    traceId: traceId ?? null,
  };
}

/** A long type is cut in paths, to this beginning and a hash: see `nameInPath`. */
const cutType = /^(.{48})~[0-9a-f]{8}$/;

/** Rules name the whole type. So of one that is cut the caller must be allowed to see all types with this beginning. */
function maySeeType(type: string, rights: AdminRights): boolean {
  const [, beginning] = cutType.exec(type) ?? [];
  return beginning === undefined ? rights.may("see", type) : rights.may("see", beginning, { isPrefix: true });
}

function topicRow({ id, agentType, topicType, isPrefix, clientId, principal }: ListedSubscription): TopicRow {
  const topic = isPrefix ? `${topicType}*` : topicType;
  return { id, type: agentType, topic, clientId, principal: principal ?? null };
}
