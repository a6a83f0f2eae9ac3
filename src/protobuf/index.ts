export { type ProtobufMessageOptions, protobufMessage } from "./protobuf-message.ts";
