/** Returns a value as JSON has it, so that a state can keep it. */
export function plain<T>(value: T): T {
  return JSON.parse(JSON.stringify(value));
}
