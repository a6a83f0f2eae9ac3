import type { SpanDetails, SpanOperation, Tracing } from "../../src/core/index.ts";

/** Keeps each span that ended as its operation and its outcome: `process failed`. */
export class SpanRecorder implements Tracing {
  readonly spans: string[] = [];

  span<T>(operation: SpanOperation, _details: SpanDetails, body: () => T): T {
    let result: T;
    try {
      result = body();
    } catch (error) {
      this.spans.push(`${operation} failed`);
      throw error;
    }
    if (!(result instanceof Promise)) {
      this.spans.push(`${operation} ok`);
      return result;
    }
    const ended = result.then(
      (value: unknown) => {
        this.spans.push(`${operation} ok`);
        return value;
      },
      (error: unknown) => {
        this.spans.push(`${operation} failed`);
        throw error;
      },
    );
    // A promise of the same value: T is a promise type here, which TypeScript can't see.
    return ended as T;
  }

  inject(): Readonly<Record<string, string>> {
    return {};
  }
}
