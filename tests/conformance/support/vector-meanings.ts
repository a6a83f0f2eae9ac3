import type { JsonValue } from "@bufbuild/protobuf";
import type { Frame, WirePayload } from "../../../src/protocol/index.ts";
import { bytesOf } from "./python-wire.ts";

const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const anyHi =
  "0a2f747970652e676f6f676c65617069732e636f6d2f676f6f676c652e70726f746f6275662e537472696e6756616c756512040a026869";
const question = '{"content": "q"}';

/** What each vector says, written by hand from the first column of protocol.md §9: as protobuf JSON … */
export const vectorJson: Readonly<Record<string, JsonValue>> = {
  "gen1 Message.registerAgentTypeRequest{1,echo}": { registerAgentTypeRequest: { request_id: "1", type: "echo" } },
  "gen1 Message.registerAgentTypeResponse{1,success}": {
    registerAgentTypeResponse: { request_id: "1", success: true },
  },
  "gen1 Message.addSubscriptionRequest{2, prefix echo:→echo}": {
    addSubscriptionRequest: { request_id: "2", subscription: prefixOf("echo:", "echo") },
  },
  "gen1 Message.addSubscriptionRequest{3, type t→echo}": {
    addSubscriptionRequest: { request_id: "3", subscription: exactOf("t", "echo") },
  },
  "gen1 Message.addSubscriptionResponse{2,success}": { addSubscriptionResponse: { request_id: "2", success: true } },
  "RegisterAgentTypeRequest{echo}": { type: "echo" },
  "AddSubscriptionRequest{S1, type t→echo}": { subscription: { id: "S1", ...exactOf("t", "echo") } },
  "AddSubscriptionRequest{S2, prefix echo:→echo}": { subscription: { id: "S2", ...prefixOf("echo:", "echo") } },
  "RemoveSubscriptionRequest{S1}": { id: "S1" },
  'Message.request id 6, no source, target echo/k, JSON MyMessage {"content": "q"}': {
    request: { request_id: "6", target: { type: "echo", key: "k" }, payload: jsonPayload(question) },
  },
  "answer to Message.request id 6": { response: { request_id: "6", payload: jsonPayload(question) } },
  "Message.request id 1, source a/b, with traceparent metadata": {
    request: {
      request_id: "1",
      source: { type: "a", key: "b" },
      target: { type: "echo", key: "k" },
      payload: jsonPayload(question),
      metadata: { traceparent },
    },
  },
  "Message.response{1, error boom}": { response: { request_id: "1", error: "boom" } },
  'Any(StringValue "hi") bytes as RPC Payload.data': {
    "@type": "type.googleapis.com/google.protobuf.StringValue",
    value: "hi",
  },
  '.NET-style event (id E1, type t, source k, 3 attributes, proto_data StringValue "hi")': {
    cloudEvent: {
      id: "E1",
      source: "k",
      type: "t",
      attributes: texts({
        agmsgkind: "publish",
        datacontenttype: "application/x-protobuf",
        dataschema: "google.protobuf.StringValue",
      }),
      proto_data: { "@type": "type.googleapis.com/google.protobuf.StringValue", value: "hi" },
    },
  },
  'Python JSON event (map entries sorted), sender a/b, MyMessage {"content": "two"}, topic t/src': {
    cloudEvent: {
      id: "22222222-1111-1111-1111-111111111111",
      source: "src",
      spec_version: "1.0",
      type: "t",
      attributes: texts({
        agagentsenderkey: "b",
        agagentsendertype: "a",
        agmsgkind: "publish",
        datacontenttype: "application/json",
        dataschema: "MyMessage",
      }),
      binary_data: base64('{"content": "two"}'),
    },
  },
  "ControlMessage 7: SaveStateRequest echo/k to agentid=echo/k, respond_to clientid=C1": {
    rpc_id: "7",
    destination: "agentid=echo/k",
    respond_to: "clientid=C1",
    rpcMessage: { "@type": "type.googleapis.com/agents.SaveStateRequest", agentId: { type: "echo", key: "k" } },
  },
  'ControlMessage 7: SaveStateResponse, state {"n":1}, respond_to present and empty': {
    rpc_id: "7",
    destination: "clientid=C1",
    respond_to: "",
    rpcMessage: { "@type": "type.googleapis.com/agents.SaveStateResponse", state: '{"n":1}' },
  },
};

/** … and those of the data channel as the frame that the runtimes see. */
export const vectorFrames: Readonly<Record<string, Frame>> = {
  "gen1 Message.registerAgentTypeRequest{1,echo}": { kind: "register-type", requestId: "1", agentType: "echo" },
  "gen1 Message.registerAgentTypeResponse{1,success}": ack("register-type", "1"),
  "gen1 Message.addSubscriptionRequest{2, prefix echo:→echo}": {
    kind: "subscribe",
    requestId: "2",
    pattern: { kind: "prefix", topicTypePrefix: "echo:", agentType: "echo" },
  },
  "gen1 Message.addSubscriptionRequest{3, type t→echo}": {
    kind: "subscribe",
    requestId: "3",
    pattern: { kind: "type", topicType: "t", agentType: "echo" },
  },
  "gen1 Message.addSubscriptionResponse{2,success}": ack("subscribe", "2"),
  'Message.request id 6, no source, target echo/k, JSON MyMessage {"content": "q"}': {
    kind: "request",
    requestId: "6",
    source: undefined,
    target: { type: "echo", key: "k" },
    payload: myMessage(question),
    metadata: {},
  },
  "answer to Message.request id 6": {
    kind: "response",
    requestId: "6",
    payload: myMessage(question),
    error: "",
    metadata: {},
  },
  "Message.request id 1, source a/b, with traceparent metadata": {
    kind: "request",
    requestId: "1",
    source: { type: "a", key: "b" },
    target: { type: "echo", key: "k" },
    payload: myMessage(question),
    metadata: { traceparent },
  },
  "Message.response{1, error boom}": {
    kind: "response",
    requestId: "1",
    payload: undefined,
    error: "boom",
    metadata: {},
  },
  '.NET-style event (id E1, type t, source k, 3 attributes, proto_data StringValue "hi")': {
    kind: "event",
    event: {
      id: "E1",
      topicType: "t",
      topicSource: "k",
      sender: undefined,
      payload: {
        typeName: "google.protobuf.StringValue",
        contentType: "application/x-protobuf",
        data: bytesOf(anyHi),
      },
      attributes: {},
    },
  },
  'Python JSON event (map entries sorted), sender a/b, MyMessage {"content": "two"}, topic t/src': {
    kind: "event",
    event: {
      id: "22222222-1111-1111-1111-111111111111",
      topicType: "t",
      topicSource: "src",
      sender: { type: "a", key: "b" },
      payload: myMessage('{"content": "two"}'),
      attributes: {},
    },
  },
};

function exactOf(topicType: string, agentType: string) {
  return { typeSubscription: { topic_type: topicType, agent_type: agentType } };
}

function prefixOf(topicTypePrefix: string, agentType: string) {
  return { typePrefixSubscription: { topic_type_prefix: topicTypePrefix, agent_type: agentType } };
}

function jsonPayload(json: string) {
  return { data_type: "MyMessage", data_content_type: "application/json", data: base64(json) };
}

function myMessage(json: string): WirePayload {
  return { typeName: "MyMessage", contentType: "application/json", data: new TextEncoder().encode(json) };
}

function ack(of: "register-type" | "subscribe", requestId: string): Frame {
  return { kind: "ack", of, requestId, success: true, error: undefined };
}

function texts(values: Readonly<Record<string, string>>) {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, { ce_string: value }]));
}

function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}
