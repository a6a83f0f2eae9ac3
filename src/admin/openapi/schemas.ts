import {
  amount,
  count,
  flag,
  type JsonSchema,
  listOf,
  mapOf,
  nullable,
  object,
  ref,
  text,
  texts,
  time,
  word,
} from "./schema.ts";

const agent = { type: text, key: text };
const run = {
  ...{ ...agent, id: text, status: word("working", "completed", "failed", "cancelled") },
  ...{ principal: nullable(text), owner: text, startedAt: time, updatedAt: time, deadlineAt: nullable(time) },
  ...{ first: count, next: count, bytes: count, takeovers: count },
};
const runText = object({ messageType: text, contentType: text, text, isCut: flag });
const storedState = {
  ...agent,
  ...{ revision: count, schemaVersion: count, contentType: text, savedAt: time, eTag: text },
};
const place = {
  ...agent,
  sharing: word("exclusive", "shared", "unserved"),
  workerId: nullable(text),
  epoch: nullable(text),
};
/** Of a row in a list of all hosts. */
const host = {
  ...nullable(object({ hostId: text, name: text })),
  description: "The host that has the row. Null: it is alone.",
};
const letter = {
  ...{ letter: text, ...agent, messageType: text, code: text, reason: text, attempts: count },
  ...{ bytes: count, sentAt: time, diedAt: time },
};
const cluster = {
  ...{ name: text, hostId: text, generation: count, leaseMs: count, workerLeaseMs: count },
  ...{ hosts: listOf(ref("Host")), deadHosts: count },
  shards: nullable(object({ count, owners: listOf(object({ shard: count, hostId: text })) })),
};

/** The things that answers are made of, by their names in the document. */
export const schemas: { readonly [name: string]: JsonSchema } = {
  MessageType: object({
    ...{ name: text, contentType: text, takes: word("call", "event", "message"), answer: nullable(text) },
    schema: nullable({ type: "object" }),
  }),
  Problem: {
    ...object({ type: text, title: text, status: count, detail: text, code: text }),
    description: "An error, as RFC 9457 says. `code` is the error code of Troupe.",
  },
  Health: object({ status: word("starting", "serving", "draining", "stopped", "store-lost", "isolated") }),
  HostFacts: object({
    ...{ name: text, version: text, pid: count, address: text, state: text, startedAt: time, now: time },
    hostId: nullable(text),
  }),
  ActivityStep: object({
    ...{ number: count, time, ms: amount, calls: count, failed: count, abandoned: count, events: count, missed: count },
    ...{ commits: count, p50Ms: nullable(amount), p95Ms: nullable(amount), maxMs: nullable(amount) },
  }),
  TypeActivity: object({
    ...{ type: nullable(text), calls: count, failed: count, p50Ms: amount, p95Ms: amount, maxMs: amount },
  }),
  Trace: object({
    ...{ traceId: text, time, ms: amount, calls: count, events: count, failed: count, first: text },
    hosts: listOf(object({ hostId: text, name: text })),
  }),
  Hop: object({
    ...{
      number: count,
      parent: nullable(count),
      kind: word("call", "event"),
      time,
      startMs: amount,
      ms: nullable(amount),
    },
    ...{ sender: nullable(text), type: nullable(text), key: nullable(text), topic: nullable(text), outcome: text },
    ...{ code: nullable(text), host },
  }),
  Session: object({
    ...{ clientId: text, address: text, queuedFrames: count, queuedBytes: count, heldBytes: count },
    ...{ outgoingCalls: count, incomingCalls: count, droppedEvents: count, refusedCalls: count, userAgent: text },
    ...{ isAnnounced: flag, maxFrameBytes: nullable(count), takesJsonEvents: flag, reconnectGraceMs: amount },
    ...{ principal: nullable(text), roles: texts, hasControlChannel: flag, types: texts, typeCount: count },
    ...{ subscriptionCount: count, host },
  }),
  AgentType: object({ type: text, owners: texts, host }),
  Topic: object({
    ...{ number: count, id: text, type: text, topic: text, clientId: text, principal: nullable(text), host },
  }),
  Call: object({
    ...{ number: count, ...agent, callerId: text, principal: nullable(text), targetId: nullable(text) },
    ...{ ageMs: nullable(amount), timeoutMs: nullable(amount), isStuck: flag, path: texts, traceId: nullable(text) },
    host,
  }),
  Failure: object({
    ...{
      number: count,
      time,
      kind: text,
      type: nullable(text),
      key: nullable(text),
      topic: nullable(text),
      code: text,
    },
    ...{ detail: text, clientId: nullable(text), traceId: nullable(text), host },
  }),
  Worker: object(
    {
      ...{ workerId: text, name: text, labels: mapOf(text), clientIds: texts, types: texts, typeCount: count },
      ...{ claims: count, leaving: count, isDraining: flag, outstanding: count, address: text, isTroupe: flag },
      ...{ queuedBytes: count, principal: nullable(text), host },
    },
    { version: text },
  ),
  Drain: object({
    workerId: text,
    outcome: {
      anyOf: [
        object({ at: word("drained"), leftAgents: count, revokedAgents: count, hasAnswered: flag }),
        object({ at: word("gone"), leftAgents: count }),
        object({ at: word("keeps-agents", "unknown") }),
      ],
    },
  }),
  Agent: object(place),
  AgentDetail: object({ ...place, state: nullable(ref("ListedState")), unanswered: listOf(ref("UnansweredHost")) }),
  UnansweredHost: object({ hostId: text, name: text, problem: text }),
  ListedState: object({ ...storedState, bytes: count }),
  State: object(storedState, { text, base64: text }),
  Reminder: object({ ...agent, name: text, dueAt: time, rule: text, messageType: text, attempts: count }),
  Run: object(run),
  RunDetail: object({
    ...{ ...run, message: nullable(runText), from: count },
    chunks: listOf(object({ offset: count, message: nullable(runText) })),
    answer: nullable(runText),
    error: nullable(object({ code: text, text })),
  }),
  DeadLetter: object(letter),
  DeadLetterDetail: object({
    ...{ ...letter, id: text },
    message: nullable(
      object(
        {
          ...{ sender: nullable(object(agent)), topic: nullable(text), messageType: text, contentType: text },
          isCut: flag,
        },
        { text, base64: text },
      ),
    ),
  }),
  Subscription: object({ type: text, topic: text, principal: nullable(text), isServed: flag }),
  // What hosts and servers of another version tell may have more fields.
  Host: {
    type: "object",
    required: ["hostId", "name", "state", "isAsked", "leaseAgeMs", "leaseMs", "status", "problem"],
  },
  Cluster: object({ ...cluster, store: nullable({ type: "object" }), storeProblem: nullable(text), problems: texts }),
};
