import type { MsgHdrs } from "../../../src/nats/driver.ts";

/** Headers of a message, as the library of NATS has them. */
export class SimulatedHeaders implements MsgHdrs {
  readonly code: number;
  readonly description: string;
  readonly #values = new Map<string, string>();

  constructor(code = 0, description = "") {
    this.code = code;
    this.description = description;
  }

  static of(values: ReadonlyMap<string, string>): SimulatedHeaders {
    const headers = new SimulatedHeaders();
    for (const [name, value] of values) headers.set(name, value);
    return headers;
  }

  get(name: string): string {
    return this.#values.get(name) ?? "";
  }

  has(name: string): boolean {
    return this.#values.has(name);
  }

  keys(): readonly string[] {
    return [...this.#values.keys()];
  }

  set(name: string, value: string): void {
    this.#values.set(name, value);
  }
}

/** Headers as the servers store them, in base64. */
export function storedHeaders(headers: ReadonlyMap<string, string>): string {
  const lines = [...headers].map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.from(`NATS/1.0\r\n${lines.join("")}\r\n`, "utf8").toString("base64");
}
