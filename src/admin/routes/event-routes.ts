import {
  type ErrorCode,
  isValidTopicType,
  reservedMessageType,
  storeLimits,
  topicTypeRule,
  whyReserved,
} from "../../core/internal.ts";
import type { PublishedEvent, PublishOutcome } from "../../host/internal.ts";
import { HttpProblem, type ReceivedEvent, readCloudEvent, typeInHeaders } from "../../http/internal.ts";
import type { AdminHost } from "../admin-host.ts";
import type { AdminRoute } from "../admin-route.ts";
import { publisherOf } from "../publisher-of.ts";

/** The longest CloudEvent, in bytes: stock workers take no longer message. */
const maxEventBytes = 4 * 1024 * 1024;

/** The attribute of an event that is to be kept. */
const deliveryName = "agdelivery";

/** The outcome of a CloudEvent. */
export interface PublishedAnswer {
  readonly id: string;
  /** True: it is kept for all agents with a durable subscription to its topic. */
  readonly isKept: boolean;
  /** Workers that it went to. Null: it is kept, and goes to others beside. */
  readonly workers: number | null;
}

/** Takes CloudEvents: their type and source are the topic. */
export function eventRoutes(host: Pick<AdminHost, "publish">): readonly AdminRoute[] {
  return [
    {
      ...{ method: "POST", path: "/v1/events", parameters: [], maxBodyBytes: maxEventBytes, need: "nothing" },
      check: ({ headers, rights }) => {
        const type = typeInHeaders(headers);
        if (type !== undefined) rights.assertMay("publish", type);
      },
      handle: async ({ headers, body, caller, rights, signal }): Promise<PublishedAnswer> => {
        const received = readCloudEvent(headers, body);
        rights.assertMay("publish", received.type);
        const { event, isDurable } = publishedOf(received);
        const idempotencyKey = keyOf(received, rights.principal?.name);
        const outcome = await host.publish(publisherOf(caller), event, { isDurable, idempotencyKey, signal });
        if (outcome.at === "refused") throw problemOf(outcome);
        return { id: event.id, isKept: outcome.at === "kept", workers: outcome.at === "kept" ? null : outcome.workers };
      },
    },
  ];
}

function publishedOf({ id, source, type, contentType, data, attributes }: ReceivedEvent): {
  readonly event: PublishedEvent;
  readonly isDurable: boolean;
} {
  if (!isValidTopicType(type)) throw invalid(`Its type is the type of a topic. ${topicTypeRule}`);
  const whyNotType = whyReserved("topic type", type);
  if (whyNotType !== undefined) throw invalid(whyNotType);
  if (source.length > storeLimits.nameCharacters)
    throw invalid(`Its source has more than ${storeLimits.nameCharacters} characters.`);
  const { agdelivery, messagetype, dataschema, ...others } = attributes;
  const reserved = Object.keys(others).find((name) => name.startsWith("ag"));
  // An agent of a worker alone may be a sender.
  if (reserved !== undefined) throw invalid(`Its attribute ${reserved} is reserved: only hosts and workers set it.`);
  if (agdelivery !== undefined && agdelivery !== "durable") throw invalid(`Its ${deliveryName} may be durable alone.`);
  const payload = { typeName: messagetype ?? dataschema ?? type, contentType, data };
  const whyNotMessage = reservedMessageType(payload.typeName, "invalid-message");
  if (whyNotMessage !== undefined) throw invalid(whyNotMessage.message);
  return {
    event: { id, topicType: type, topicSource: source, payload, attributes: others },
    isDurable: agdelivery === "durable",
  };
}

/** An event that is sent again has the id and the source of the first one. An event whose key would be too long has no key. */
function keyOf({ id, source }: ReceivedEvent, principal = ""): string | undefined {
  const key = [principal, source, id].map(encodeURIComponent).join(" ");
  return key.length <= 256 ? key : undefined;
}

function problemOf({ code, text, retryMs }: Extract<PublishOutcome, { at: "refused" }>): HttpProblem {
  const status = code === "overloaded" ? 429 : code === "not-authorized" ? 403 : code === "invalid-message" ? 400 : 503;
  const headers = retryMs === undefined ? {} : { "retry-after": String(Math.ceil(retryMs / 1_000)) };
  // The host has made the failure, with one of its own codes.
  return new HttpProblem(status, code as ErrorCode, text, { headers });
}

function invalid(text: string): HttpProblem {
  return new HttpProblem(400, "invalid-message", `The CloudEvent can't be taken. ${text}`);
}
