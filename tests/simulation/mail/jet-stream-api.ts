import { storedHeaders } from "./simulated-headers.ts";
import type { SimulatedServers } from "./simulated-servers.ts";
import type { SimulatedConsumer, SimulatedStream } from "./simulated-stream.ts";

/** The fields of an answer. */
export type ApiReply = Readonly<Record<string, unknown>>;

const noStream = { error: { code: 404, err_code: 10_059, description: "stream not found" } };
const noConsumer = { error: { code: 404, err_code: 10_014, description: "consumer not found" } };
const noMessage = { error: { code: 404, err_code: 10_037, description: "no message found" } };
const noSequence = { error: { code: 400, err_code: 10_043, description: "sequence not found" } };

/** Answers what is asked of JetStream's API. Undefined: it is none of what the adapter asks. */
export function answerApi(servers: SimulatedServers, api: string, data: Uint8Array): ApiReply | undefined {
  const [kind, verb, ...rest] = api.split(".");
  // The fields are those that the adapter writes.
  const body = data.length === 0 ? {} : JSON.parse(new TextDecoder().decode(data));
  const isOfMessage = verb === "MSG";
  const what = isOfMessage ? `${kind}.${verb}.${rest.shift()}` : `${kind}.${verb}`;
  const [name = "", consumerName = ""] = rest;
  const stream = servers.streams.get(name);
  if (what === "STREAM.CREATE") return infoOf(stream ?? servers.make({ ...body, name }));
  if (stream === undefined) return noStream;
  switch (what) {
    case "STREAM.INFO":
      return infoOf(stream);
    case "STREAM.MSG.GET":
      return messageIn(stream, body);
    case "STREAM.MSG.DELETE": {
      const message = stream.delete(body.seq);
      if (message === undefined) return noSequence;
      servers.deleted([message]);
      return { success: true };
    }
    case "STREAM.PURGE": {
      const gone = stream.purge(body.filter, body.seq);
      servers.deleted(gone);
      return { success: true, purged: gone.length };
    }
    case "CONSUMER.CREATE":
      return makeConsumer(stream, consumerName, body.config);
    case "CONSUMER.NAMES":
      return { total: stream.consumers.size, consumers: [...stream.consumers.keys()].slice(body.offset ?? 0) };
    case "CONSUMER.INFO": {
      const consumer = stream.consumers.get(consumerName);
      return consumer === undefined ? noConsumer : { delivered: { stream_seq: consumer.lastPlace } };
    }
    case "CONSUMER.DELETE":
      return servers.dropConsumer(stream, consumerName) ? { success: true } : noConsumer;
    default:
      return undefined;
  }
}

function infoOf({ config, created, bytes, last }: SimulatedStream): ApiReply {
  const given = { num_replicas: 3, storage: "file", retention: "limits", max_age: 0, max_bytes: -1 };
  return { config: { ...given, ...config }, created, state: { bytes, last_seq: last } };
}

function messageIn(
  stream: SimulatedStream,
  { seq, next_by_subj: filter }: { readonly seq: number; readonly next_by_subj?: string },
): ApiReply {
  const message = filter === undefined ? stream.at(seq) : stream.next(filter, seq);
  if (message === undefined) return noMessage;
  const { place, headers, data } = message;
  return { message: { seq: place, hdrs: storedHeaders(headers), data: Buffer.from(data).toString("base64") } };
}

function makeConsumer(
  stream: SimulatedStream,
  named: string,
  config: { readonly filter_subject: string; readonly opt_start_seq: number; readonly headers_only?: boolean },
): ApiReply {
  const name = named === "" ? `unnamed-${stream.last}-${stream.consumers.size}` : named;
  const consumer: SimulatedConsumer = {
    ...{ name, filter: config.filter_subject, isHeadersOnly: config.headers_only === true },
    ...{ next: config.opt_start_seq, count: 0, lastPlace: 0, pull: undefined },
  };
  stream.consumers.set(name, consumer);
  return { name };
}
