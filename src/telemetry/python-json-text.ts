/**
 * JSON text as Python's `json.dumps` writes it by default: a space after each comma and colon, everything outside
 * printable ASCII escaped. What JSON leaves out or turns into null is treated as `JSON.stringify` does.
 */
export function pythonJsonText(value: unknown): string {
  const text = JSON.stringify(value);
  return text === undefined ? "null" : format(JSON.parse(text));
}

function format(value: unknown): string {
  if (typeof value === "string") return quote(value);
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(format).join(", ")}]`;
  const fields = Object.entries(value).map(([name, field]) => `${quote(name)}: ${format(field)}`);
  return `{${fields.join(", ")}}`;
}

function quote(text: string): string {
  return JSON.stringify(text).replace(
    /[\u007f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
