import { TroupeError } from "../errors.ts";

/** Throws `invalid-argument` for what is no message type, such as a schema; `what` begins the text. */
export function assertMessageType(type: unknown, what: string): void {
  if ((typeof type === "object" && type !== null) || typeof type === "function") {
    if ("typeName" in type && "serialize" in type && typeof type.serialize === "function") return;
  }
  const schema =
    "A schema or a class alone is none: give it a name with defineMessage, classMessage or protobufMessage.";
  throw new TroupeError("invalid-argument", `${what} has to be a message type. ${schema}`);
}
