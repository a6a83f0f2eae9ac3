import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { errorText } from "../../core/internal.ts";

export interface TlsFlags {
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tlsClientCa?: string;
}

/** Reads the files into options of node:tls; empty without files. Throws an error that names the flag and the file that does not fit. */
export function tlsOf({ tlsCert, tlsKey, tlsClientCa }: TlsFlags) {
  if (tlsCert === undefined && tlsKey === undefined && tlsClientCa === undefined) return {};
  if (tlsCert === undefined || tlsKey === undefined) throw new Error("TLS needs both --tls-cert and --tls-key.");
  const cert = readPem("--tls-cert", tlsCert, "a certificate", (pem) => new X509Certificate(pem));
  const key = readPem("--tls-key", tlsKey, "a private key without a passphrase", createPrivateKey);
  if (!cert.value.checkPrivateKey(key.value)) {
    throw new Error(`The key of --tls-key ${tlsKey} is not the one of the certificate of --tls-cert ${tlsCert}.`);
  }
  const tls = { cert: cert.pem, key: key.pem };
  if (tlsClientCa === undefined) return { tls };
  const ca = readPem("--tls-client-ca", tlsClientCa, "a certificate", (pem) => new X509Certificate(pem));
  return { tls: { ...tls, ca: ca.pem, requestCert: true } };
}

/** Reads a file and what is in it. Throws an error that names the flag and the file. */
export function readPem<T>(
  flag: string,
  file: string,
  what: string,
  parse: (pem: Buffer) => T,
): { pem: Buffer; value: T } {
  const attempt = <Result>(doing: string, body: () => Result): Result => {
    try {
      return body();
    } catch (cause) {
      throw new Error(`${flag} ${file} ${doing}: ${errorText(cause)}`, { cause });
    }
  };
  const pem = attempt("can't be read", () => readFileSync(file));
  return { pem, value: attempt(`is not ${what} (PEM)`, () => parse(pem)) };
}

/** Milliseconds between two looks at the files. A look works on every file system, also where links are replaced. */
const lookEveryMs = 10_000;
const dayMs = 86_400_000;
/** Days before its end from which on a certificate is told of. */
const fewDays = 14;

/** When the certificate of a host ends. */
export interface CertificateEnd {
  readonly validTo: string;
  /** Whole days until then; below 0: it has expired. */
  readonly days: number;
}

interface FollowOptions {
  /** Called with what the changed files hold. */
  readonly onChanged: (tls: NonNullable<ReturnType<typeof tlsOf>["tls"]>) => void;
  /** Called when the changed files do not fit together, or `onChanged` throws. A file may be half written; the next change is read. */
  readonly onBad: (error: unknown) => void;
  /** Called at once and then each day while the certificate that is served ends within 14 days, or has expired. */
  readonly onEnding: (end: CertificateEnd) => void;
  /** Default: 10 s. */
  readonly everyMs?: number;
  readonly nowMs?: () => number;
}

/** Reads the files of the TLS flags again whenever one of them has changed, until the returned function is called. */
export function followTlsFiles(
  flags: TlsFlags,
  { onChanged, onBad, onEnding, everyMs = lookEveryMs, nowMs = Date.now }: FollowOptions,
): () => void {
  const files = [flags.tlsCert, flags.tlsKey, flags.tlsClientCa].filter((file) => file !== undefined);
  let known = contentsOf(files);
  let told: number | undefined;
  let served = certificateIn(flags);
  const tellEnd = (): void => {
    if (served === undefined) return;
    const days = Math.floor((Date.parse(served.validTo) - nowMs()) / dayMs);
    if (days >= fewDays || days === told) return;
    told = days;
    onEnding({ validTo: served.validTo, days });
  };
  const look = (): void => {
    const now = contentsOf(files);
    if (now === known) return tellEnd();
    known = now;
    try {
      const { tls } = tlsOf(flags);
      if (tls === undefined) return;
      onChanged(tls);
      [served, told] = [new X509Certificate(tls.cert), undefined];
    } catch (error) {
      onBad(error);
    }
    tellEnd();
  };
  tellEnd();
  const timer = setInterval(look, everyMs).unref();
  return () => clearInterval(timer);
}

/** The certificate that the flags name. Undefined: they name none that can be read now. */
function certificateIn(flags: TlsFlags): X509Certificate | undefined {
  try {
    const { tls } = tlsOf(flags);
    return tls && new X509Certificate(tls.cert);
  } catch {
    return undefined;
  }
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
