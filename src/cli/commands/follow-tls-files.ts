import { unwatchFile, watchFile } from "node:fs";
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
  const read = (): void => {
    try {
      const { tls } = tlsOf(flags);
      if (tls !== undefined) onChanged(tls);
    } catch (error) {
      onBad(error);
    }
  };
  for (const file of files) watchFile(file, { interval: everyMs, persistent: false }, read);
  return () => {
    for (const file of files) unwatchFile(file, read);
  };
}
