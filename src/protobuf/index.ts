export { type ProtobufMessageOptions, type ProtobufMessageType, protobufMessage } from "./protobuf-message.ts";
