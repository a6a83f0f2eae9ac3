import { readFileSync } from "node:fs";
import { errorText } from "../../core/internal.ts";
import { type TlsFlags, tlsOf } from "./tls-files.ts";

/** Milliseconds between two looks at the files. A look works on every file system, also where links are replaced. */
const lookEveryMs = 10_000;

export interface TlsFilesOptions {
  /** Called with what the changed files hold. */
  readonly onChanged: (tls: NonNullable<ReturnType<typeof tlsOf>["tls"]>) => void;
  /** Called when the changed files do not fit together, or `onChanged` throws. A file may be half written; the next change is read. */
  readonly onBad: (error: unknown) => void;
  /** Default: 10 s. */
  readonly everyMs?: number;
}

/** Reads the files of the TLS flags again whenever one of them has changed, until the returned function is called. */
export function followTlsFiles(
  flags: TlsFlags,
  { onChanged, onBad, everyMs = lookEveryMs }: TlsFilesOptions,
): () => void {
  const files = [flags.tlsCert, flags.tlsKey, flags.tlsClientCa].filter((file) => file !== undefined);
  let known = contentsOf(files);
  const look = (): void => {
    const now = contentsOf(files);
    if (now === known) return;
    known = now;
    try {
      const { tls } = tlsOf(flags);
      if (tls !== undefined) onChanged(tls);
    } catch (error) {
      onBad(error);
    }
  };
  const timer = setInterval(look, everyMs).unref();
  return () => clearInterval(timer);
}

/** The texts of the files; the error of one that can't be read stands for its text. */
function contentsOf(files: readonly string[]): string {
  const read = (file: string): string => {
    try {
      return readFileSync(file, "utf8");
    } catch (error) {
      return errorText(error);
    }
  };
  return files.map(read).join("\0");
}
