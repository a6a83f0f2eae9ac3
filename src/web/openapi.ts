import type { MessageType } from "../core/internal.ts";
import type { Exposed } from "./exposed.ts";

type Json = { readonly [field: string]: unknown };

const problem = {
  description: "A problem (RFC 9457) with the code of the error.",
  content: { "application/problem+json": {} },
};
const ok = (description: string, schema?: Json) => ({
  description,
  ...(schema === undefined ? {} : { content: { "application/json": { schema } } }),
});
const events = (description: string) => ({
  description,
  content: { "text/event-stream": { schema: { type: "string" } } },
});

/** Describes all that clients reach: OpenAPI 3.1, with the JSON Schemas of the messages. */
export function describeGateway(exposed: Exposed, basePath: string): Json {
  const schemas: Record<string, unknown> = {};
  for (const type of exposed.types()) schemas[nameOf(type)] = { title: type.typeName, ...schemaOf(type) };
  const paths: Record<string, unknown> = {};
  for (const agent of exposed.agents.values()) {
    const messages = [...agent.messages.values()];
    const at = `/agents/${encodeURIComponent(agent.type)}/{key}`;
    const tags = [agent.type];
    if (messages.length > 0) {
      const answers = messages.flatMap(({ answer }) => (answer === undefined ? [] : [refTo(answer)]));
      const body = bodyOf(messages);
      const key = parameter("key");
      paths[`${at}/calls`] = {
        post: {
          tags,
          parameters: [key],
          requestBody: body,
          responses: {
            200: ok("The answer.", oneOf(answers)),
            204: ok("An answer without a value."),
            default: problem,
          },
        },
      };
      paths[`${at}/streams`] = {
        post: {
          tags,
          parameters: [key],
          requestBody: body,
          responses: { 200: events("Events `chunk`, then `answer` or `error`."), default: problem },
        },
      };
      const parameters = [key, parameter("id")];
      paths[`${at}/runs/{id}`] = {
        put: {
          tags,
          parameters,
          requestBody: body,
          responses: { 200: ok("The run that is there."), 201: ok("The run has started."), default: problem },
        },
        get: {
          tags,
          parameters: [
            ...parameters,
            { name: "offset", in: "query", schema: { type: "integer" } },
            { name: "last-event-id", in: "header", schema: { type: "string" } },
          ],
          responses: {
            200: events("Events `chunk`, whose ids are offsets, then `answer` or `error`."),
            204: ok("The client has seen the end."),
            default: problem,
          },
        },
        head: { tags, parameters, responses: { 200: ok("Headers `troupe-run-…`."), default: problem } },
        delete: { tags, parameters, responses: { 200: ok("The run has ended."), default: problem } },
      };
    }
    if (agent.chat === undefined) continue;
    const chat = `/chat/${encodeURIComponent(agent.type)}`;
    const uiEvents = events("The UI message stream of the AI SDK, version 1.");
    paths[chat] = {
      post: {
        tags,
        requestBody: { required: true, content: { "application/json": { schema: { type: "object" } } } },
        responses: { 200: uiEvents, default: problem },
      },
    };
    if (agent.history !== undefined) {
      const answer = agent.history.answer === undefined ? undefined : refTo(agent.history.answer);
      paths[`${chat}/{chat}`] = {
        get: {
          tags,
          parameters: [parameter("chat")],
          responses: {
            200: ok("What was said, without the answer under way.", answer),
            204: ok("An answer without a value."),
            default: problem,
          },
        },
      };
    }
    paths[`${chat}/{chat}/stream`] = {
      get: {
        tags,
        parameters: [parameter("chat")],
        responses: { 200: uiEvents, 204: ok("No answer is under way."), default: problem },
      },
    };
    paths[`${chat}/{chat}/stop`] = {
      post: {
        tags,
        parameters: [parameter("chat")],
        responses: { 204: ok("No answer is under way any more."), default: problem },
      },
    };
  }
  for (const [type, { subscribe = [], publish = [] }] of exposed.topics) {
    const parameters = [parameter("source")];
    paths[`/topics/${encodeURIComponent(type)}/{source}`] = {
      ...(subscribe.length > 0 && {
        get: { tags: [type], parameters, responses: { 200: events("Events `event`."), default: problem } },
      }),
      ...(publish.length > 0 && {
        post: {
          tags: [type],
          parameters,
          requestBody: bodyOf(publish),
          responses: { 202: ok("The event is published."), default: problem },
        },
      }),
    };
  }
  const info = { title: "Agents", version: "1" };
  return {
    openapi: "3.1.0",
    info,
    servers: [{ url: basePath === "" ? "/" : basePath }],
    paths,
    components: { schemas },
  };
}

function bodyOf(types: readonly MessageType[]): Json {
  const schema = oneOf(
    types.map((type) => ({
      type: "object",
      properties: { type: { const: type.typeName }, message: refTo(type), timeoutMs: { type: "number" } },
      required: ["type", "message"],
    })),
  );
  return { required: true, content: { "application/json": { schema } } };
}

function oneOf(schemas: readonly Json[]): Json {
  const [first, ...others] = schemas;
  return first === undefined ? {} : others.length === 0 ? first : { oneOf: schemas };
}

function refTo(type: MessageType): Json {
  return { $ref: `#/components/schemas/${nameOf(type)}` };
}

/** Names of components have these characters alone. */
function nameOf({ typeName }: MessageType): string {
  return typeName.replace(/[^A-Za-z0-9._-]/g, "_");
}

function schemaOf(type: MessageType): Json {
  const { $schema: _, ...schema } = type.jsonSchema?.() ?? {};
  return schema;
}

function parameter(name: string): Json {
  return { name, in: "path", required: true, schema: { type: "string" } };
}
