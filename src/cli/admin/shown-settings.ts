import { formatLocation, type StateLocation } from "../state/state-location.ts";

/** A setting as operators see it. */
type Setting = string | number | boolean | readonly string[] | null;

/** The flags of a host as operators see them. Flags about secrets name files; what is secret in addresses is hidden. A flag without a value is null. */
export function shownSettings(flags: Readonly<Record<string, unknown>>): Readonly<Record<string, Setting>> {
  return Object.fromEntries(
    Object.entries(flags)
      .sort(([one], [other]) => (one < other ? -1 : 1))
      .map(([name, value]) => [name, shown(value)]),
  );
}

function shown(value: unknown): Setting {
  if (value === undefined || value === null) return null;
  if (typeof value === "number" || typeof value === "boolean") return value;
  if (typeof value === "string") return withoutLogin(value);
  if (Array.isArray(value)) return value.map((one) => withoutLogin(String(one)));
  return isLocation(value) ? formatLocation(value) : "hidden";
}

/** Names and passwords in addresses, and queries behind them, may be secrets. */
function withoutLogin(text: string): string {
  if (!text.includes("://")) return text;
  return text.replace(/:\/\/[^/,?#]*@/g, "://hidden@").replace(/\?[^,]*/g, "?hidden");
}

function isLocation(value: object): value is StateLocation {
  return "kind" in value;
}
