/** Counts what hosts log as errors, by their texts. Expected ones belong to the faults of a soak. */
export class HostLogs {
  readonly #errors = new Map<string, number>();
  readonly #warnings = new Map<string, number>();
  /** The first lines that were not expected, whole. */
  readonly unexpected: string[] = [];

  take(host: string, line: string): void {
    const entry = entryOf(line);
    if (entry === undefined) {
      // Such as a stack trace of Node's.
      this.#note(`${host}: ${line}`);
    } else if (entry.level === "error") {
      count(this.#errors, entry.msg);
      if (!expected.some((pattern) => pattern.test(`${entry.msg}: ${entry.reason}`))) this.#note(`${host}: ${line}`);
    } else if (entry.level === "warn") count(this.#warnings, entry.msg);
  }

  get errors(): string {
    return listed(this.#errors);
  }

  get warnings(): string {
    return listed(this.#warnings);
  }

  #note(line: string): void {
    if (this.unexpected.length < 20) this.unexpected.push(line.slice(0, 1_000));
  }
}

/** Errors that the faults of a soak cause. */
const expected: readonly RegExp[] = [
  // NATS or PostgreSQL is away.
  /a told message could not be kept/,
  /a durable event could not be kept/,
  /The log can't write what became of a message/,
  /The mail of the state store can't be moved into the log/,
  /a state could not be (read|written)/,
  /The state store can't read or write reminders/,
  /the mail of the cluster is not there in NATS: JetStream of NATS does not answer/,
];

interface Entry {
  readonly level: string;
  readonly msg: string;
  /** Empty: the line has none. */
  readonly reason: string;
}

function entryOf(line: string): Entry | undefined {
  try {
    const { level, msg, reason = "" } = JSON.parse(line) as Partial<Record<keyof Entry, unknown>>;
    return typeof level === "string" && typeof msg === "string" ? { level, msg, reason: String(reason) } : undefined;
  } catch {
    return undefined;
  }
}

/** Bounded, whatever is said. */
const mostKinds = 100;

function count(counts: Map<string, number>, text: string): void {
  const kind = text.replace(/\d[\d.:]*/g, "…").slice(0, 120);
  if (counts.size < mostKinds || counts.has(kind)) counts.set(kind, (counts.get(kind) ?? 0) + 1);
}

function listed(counts: ReadonlyMap<string, number>): string {
  const sorted = [...counts].sort(([, one], [, other]) => other - one);
  return sorted.map(([text, times]) => `${times} × ${text}`).join(" | ") || "none";
}
