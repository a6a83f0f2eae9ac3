import { brandOf } from "./message-index.ts";
import { UnknownPayload } from "./unknown-payload.ts";

/** A message's type by name, for texts and telemetry; of an undeclared class the class's own name. */
export function messageTypeText(value: unknown): string {
  if (value === undefined || value === null) return "NoneType";
  if (typeof value !== "object") return typeof value;
  const brand = brandOf(value);
  if (brand !== undefined) return brand.typeName;
  if (value instanceof UnknownPayload) return `UnknownPayload (${value.typeName})`;
  const tag = "$typeName" in value ? value.$typeName : undefined;
  return typeof tag === "string" ? tag : (value.constructor?.name ?? "object");
}
