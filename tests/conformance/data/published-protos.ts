/**
 * The three published revisions of the worker protocol (protocol.md §1.2), read from the descriptors in autogen-ext 0.4.0,
 * 0.4.4 and 0.7.5. One line a message: `number name type`, `oneof/name` for the arms of a oneof; then the methods.
 * Messages that no method reaches (`TopicId`, `Event`) are left out.
 */
export type Generation = 1 | 2 | 3;

const shared = `
agents.AgentId: 1 type string, 2 key string
agents.Payload: 1 data_type string, 2 data_content_type string, 3 data bytes
agents.RpcRequest: 1 request_id string, 2 source optional agents.AgentId, 3 target agents.AgentId, 4 method string, 5 payload agents.Payload, 6 metadata map<string, string>
agents.RpcResponse: 1 request_id string, 2 payload agents.Payload, 3 error string, 4 metadata map<string, string>
agents.TypeSubscription: 1 topic_type string, 2 agent_type string
agents.TypePrefixSubscription: 1 topic_type_prefix string, 2 agent_type string
io.cloudevents.v1.CloudEvent: 1 id string, 2 source string, 3 spec_version string, 4 type string, 5 attributes map<string, io.cloudevents.v1.CloudEvent.CloudEventAttributeValue>, 6 data/binary_data bytes, 7 data/text_data string, 8 data/proto_data google.protobuf.Any
io.cloudevents.v1.CloudEvent.CloudEventAttributeValue: 1 attr/ce_boolean bool, 2 attr/ce_integer int32, 3 attr/ce_string string, 4 attr/ce_bytes bytes, 5 attr/ce_uri string, 6 attr/ce_uri_ref string, 7 attr/ce_timestamp google.protobuf.Timestamp
rpc OpenChannel stream agents.Message, stream agents.Message
`;

const since2 = `
agents.Message: 1 message/request agents.RpcRequest, 2 message/response agents.RpcResponse, 3 message/cloudEvent io.cloudevents.v1.CloudEvent
agents.RegisterAgentTypeRequest: 1 type string
agents.RegisterAgentTypeResponse:
agents.Subscription: 1 id string, 2 subscription/typeSubscription agents.TypeSubscription, 3 subscription/typePrefixSubscription agents.TypePrefixSubscription
agents.AddSubscriptionRequest: 1 subscription agents.Subscription
agents.AddSubscriptionResponse:
agents.RemoveSubscriptionRequest: 1 id string
agents.RemoveSubscriptionResponse:
agents.GetSubscriptionsRequest:
agents.GetSubscriptionsResponse: 1 subscriptions repeated agents.Subscription
rpc RegisterAgent agents.RegisterAgentTypeRequest, agents.RegisterAgentTypeResponse
rpc AddSubscription agents.AddSubscriptionRequest, agents.AddSubscriptionResponse
rpc RemoveSubscription agents.RemoveSubscriptionRequest, agents.RemoveSubscriptionResponse
rpc GetSubscriptions agents.GetSubscriptionsRequest, agents.GetSubscriptionsResponse
`;

const until2 = `
agents.AgentState: 1 agent_id agents.AgentId, 2 eTag string, 3 data/binary_data bytes, 4 data/text_data string, 5 data/proto_data google.protobuf.Any
rpc GetState agents.AgentId, agents.GetStateResponse
rpc SaveState agents.AgentState, agents.SaveStateResponse
`;

const only1 = `
agents.Message: 1 message/request agents.RpcRequest, 2 message/response agents.RpcResponse, 3 message/cloudEvent io.cloudevents.v1.CloudEvent, 4 message/registerAgentTypeRequest agents.RegisterAgentTypeRequest, 5 message/registerAgentTypeResponse agents.RegisterAgentTypeResponse, 6 message/addSubscriptionRequest agents.AddSubscriptionRequest, 7 message/addSubscriptionResponse agents.AddSubscriptionResponse
agents.RegisterAgentTypeRequest: 1 request_id string, 2 type string
agents.RegisterAgentTypeResponse: 1 request_id string, 2 success bool, 3 error optional string
agents.Subscription: 1 subscription/typeSubscription agents.TypeSubscription, 2 subscription/typePrefixSubscription agents.TypePrefixSubscription
agents.AddSubscriptionRequest: 1 request_id string, 2 subscription agents.Subscription
agents.AddSubscriptionResponse: 1 request_id string, 2 success bool, 3 error optional string
agents.GetStateResponse: 1 agent_state agents.AgentState, 2 success bool, 3 error optional string
agents.SaveStateResponse: 1 success bool, 2 error optional string
`;

const only2 = `
agents.GetStateResponse: 1 agent_state agents.AgentState
agents.SaveStateResponse:
`;

const only3 = `
agents.ControlMessage: 1 rpc_id string, 2 destination string, 3 respond_to optional string, 4 rpcMessage google.protobuf.Any
agents.SaveStateRequest: 1 agentId agents.AgentId
agents.SaveStateResponse: 1 state string, 2 error optional string
agents.LoadStateRequest: 1 agentId agents.AgentId, 2 state string
agents.LoadStateResponse: 1 error optional string
rpc OpenControlChannel stream agents.ControlMessage, stream agents.ControlMessage
`;

export const publishedText: Readonly<Record<Generation, string>> = {
  1: shared + until2 + only1,
  2: shared + since2 + until2 + only2,
  3: shared + since2 + only3,
};

/** Messages that travel inside `Any`, so that their full names are part of the wire (protocol.md §1.3). */
export const carriedInAny: Readonly<Record<Generation, readonly string[]>> = {
  1: [],
  2: [],
  3: ["agents.SaveStateRequest", "agents.SaveStateResponse", "agents.LoadStateRequest", "agents.LoadStateResponse"],
};
