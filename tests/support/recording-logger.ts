import type { LogFields, Logger } from "../../src/core/index.ts";

export interface LogLine {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly text: string;
  readonly fields: LogFields | undefined;
}

/** Keeps what it is told. */
export class RecordingLogger implements Logger {
  readonly lines: LogLine[] = [];

  debug(text: string, fields?: LogFields): void {
    this.lines.push({ level: "debug", text, fields });
  }

  info(text: string, fields?: LogFields): void {
    this.lines.push({ level: "info", text, fields });
  }

  warn(text: string, fields?: LogFields): void {
    this.lines.push({ level: "warn", text, fields });
  }

  error(text: string, fields?: LogFields): void {
    this.lines.push({ level: "error", text, fields });
  }

  texts(level: LogLine["level"]): string[] {
    return this.lines.filter((line) => line.level === level).map((line) => line.text);
  }
}
