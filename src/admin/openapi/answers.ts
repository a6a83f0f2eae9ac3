import { count, flag, type JsonSchema, listOf, mapOf, nullable, object, pageOf, ref, text, word } from "./schema.ts";

/** Says what a route does, and the form of what it answers. */
export interface RouteDescription {
  readonly summary: string;
  /** The form of the JSON. A string: the answer has this other content type. */
  readonly answer: JsonSchema | string;
}

const setting: JsonSchema = {
  anyOf: [{ type: ["string", "number", "boolean", "null"] }, { type: "array", items: text }],
};
const agent = { type: text, key: text };
const runStatus = word("working", "completed", "failed", "cancelled");
/** A page of a list of all hosts of the cluster. */
const pageOfHosts = (row: string, more = {}): JsonSchema =>
  pageOf(ref(row), { unanswered: listOf(ref("UnansweredHost")), ...more });
const ended = object({ ...agent, done: text, wasPlaced: flag });

/** The routes of the admin entry, by method and path. A test fails for a route that has no entry here. */
export const descriptions: { readonly [route: string]: RouteDescription } = {
  "GET /healthz": { summary: "Whether the process answers", answer: ref("Health") },
  "GET /readyz": { summary: "Whether the host serves; else the status is 503", answer: ref("Health") },
  "GET /metrics": { summary: "The metrics, for Prometheus", answer: "text/plain" },
  "GET /openapi.json": { summary: "This document", answer: { type: "object" } },
  "GET /v1/feed": { summary: "What happens at the host, as server-sent events", answer: "text/event-stream" },
  "POST /v1/events": {
    summary: "Publishes a CloudEvent: in binary mode, or in structured mode as JSON",
    answer: object({ id: text, isKept: flag, workers: nullable(count) }),
  },
  "POST /v1/calls": {
    summary:
      "Calls an agent with the body as the message `message` and returns its answer. The headers `traceparent` and `tracestate` name the trace of the caller",
    answer: object({
      messageType: nullable(text),
      contentType: nullable(text),
      data: {},
      base64: nullable(text),
      ms: count,
    }),
  },
  "GET /v1/messages": {
    summary: "The messages that agents of a type take, with their JSON Schemas",
    answer: object({ type: text, why: nullable(text), messages: listOf(ref("MessageType")) }),
  },
  "GET /v1/permission": {
    summary: "Whether the caller may do something, and if not, which rule says so",
    answer: object({ isAllowed: flag, why: nullable(text) }),
  },
  "GET /v1/host": { summary: "The host's name, version, address, store and start", answer: ref("HostFacts") },
  "GET /v1/counters": {
    summary: "The counters of the hosts: their sum, and those of each",
    answer: object({
      counters: mapOf(count),
      hosts: listOf(object({ host: nullable(object({ hostId: text, name: text })), counters: mapOf(count) })),
      unanswered: listOf(ref("UnansweredHost")),
    }),
  },
  "GET /v1/configuration": {
    summary: "The settings of the host, without secrets",
    answer: object({ settings: mapOf(setting) }),
  },
  "GET /v1/activity": {
    summary:
      "Calls and events of all hosts in the last five minutes, in steps after the number `step`, and agent types of the last minute",
    answer: object({
      stepMs: count,
      step: count,
      steps: listOf(ref("ActivityStep")),
      types: listOf(ref("TypeActivity")),
      unanswered: listOf(ref("UnansweredHost")),
    }),
  },
  "GET /v1/traces": {
    summary: "Traces of messages that the hosts keep, the newest first",
    answer: pageOfHosts("Trace"),
  },
  "GET /v1/trace": {
    summary: "The calls and events of a trace, in the order in which they came",
    answer: object({ traceId: text, hops: listOf(ref("Hop")), isCut: flag, unanswered: listOf(ref("UnansweredHost")) }),
  },
  "GET /v1/sessions": { summary: "Data channels of workers", answer: pageOfHosts("Session") },
  "GET /v1/types": { summary: "Agent types, and the clients that serve them", answer: pageOfHosts("AgentType") },
  "GET /v1/topics": { summary: "Subscriptions of connected workers", answer: pageOfHosts("Topic") },
  "GET /v1/calls": { summary: "Calls without an outcome, the oldest first", answer: pageOfHosts("Call") },
  "GET /v1/failures": {
    summary: "Recent failures, the newest first",
    answer: pageOfHosts("Failure", { forgotten: count }),
  },
  "GET /v1/workers": { summary: "Connected workers", answer: pageOfHosts("Worker") },
  "GET /v1/worker": { summary: "A connected worker", answer: ref("Worker") },
  "POST /v1/worker/drain": { summary: "Lets a worker give its agents away and stop", answer: ref("Drain") },
  "GET /v1/hosts": { summary: "Hosts of the cluster", answer: pageOf(ref("Host")) },
  "GET /v1/cluster": { summary: "The cluster, and what is wrong in it", answer: ref("Cluster") },
  "POST /v1/host/drain": { summary: "Lets a host of the cluster stop in order", answer: object({ hostId: text }) },
  "GET /v1/agents": {
    summary: "Agents that have a place or a stored state",
    answer: pageOfHosts("Agent"),
  },
  "GET /v1/agent": { summary: "An agent", answer: ref("AgentDetail") },
  "POST /v1/agent/deactivate": { summary: "Ends the activation of an agent", answer: ended },
  "POST /v1/agent/destroy": { summary: "Ends an agent, and deletes what is stored of it", answer: ended },
  "GET /v1/reminders": {
    summary: "Reminders of an agent, or those that are due next",
    answer: pageOf(ref("Reminder")),
  },
  "DELETE /v1/reminder": { summary: "Cancels a reminder", answer: object({ ...agent, name: text, isCancelled: flag }) },
  "GET /v1/runs": { summary: "Kept runs, by agent and id", answer: pageOf(ref("Run")) },
  "GET /v1/run": { summary: "A kept run with its message, its chunks and its outcome", answer: ref("RunDetail") },
  "POST /v1/run/cancel": {
    summary: "Cancels a kept run",
    answer: object({ ...agent, id: text, status: runStatus, isCancelled: flag }),
  },
  "GET /v1/dead": { summary: "Dead letters", answer: pageOf(ref("DeadLetter"), { forgottenLetters: count }) },
  "GET /v1/dead/letter": { summary: "A dead letter with its message", answer: ref("DeadLetterDetail") },
  "POST /v1/dead/replay": { summary: "Sends dead letters again", answer: object({ asked: count, replayed: count }) },
  "DELETE /v1/dead": { summary: "Deletes dead letters", answer: object({ asked: count, dropped: count }) },
  "GET /v1/subscriptions": { summary: "Durable subscriptions", answer: pageOf(ref("Subscription")) },
  "DELETE /v1/subscriptions": { summary: "Removes durable subscriptions", answer: object({ removed: count }) },
  "GET /v1/states": { summary: "Stored states", answer: pageOf(ref("ListedState")) },
  "GET /v1/state": { summary: "A stored state", answer: ref("State") },
  "PUT /v1/state": {
    summary: "Stores the body as the state of an agent",
    answer: object({ ...agent, eTag: nullable(text), bytes: count }),
  },
  "DELETE /v1/state": { summary: "Deletes a state", answer: object({ ...agent, isDeleted: flag }) },
};
