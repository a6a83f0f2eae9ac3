/**
 * Message types for the messages that protobuf-es generates from `.proto` files.
 *
 * @example
 * ```ts
 * import { StringValueSchema } from "@bufbuild/protobuf/wkt";
 * import { protobufMessage } from "troupe/protobuf";
 *
 * const StringValue = protobufMessage(StringValueSchema);
 * const message = StringValue.create({ value: "hello" });
 * ```
 *
 * @packageDocumentation
 */

export { type ProtobufMessageOptions, type ProtobufMessageType, protobufMessage } from "./protobuf-message.ts";
