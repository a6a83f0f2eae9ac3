/**
 * Message types from schemas that protobuf-es has generated.
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
