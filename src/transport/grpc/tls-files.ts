import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { errorText, TroupeError, wrongValue } from "../../core/internal.ts";

/** Names of PEM files, in place of their content. */
export interface TlsFileOptions {
  /** The certificate, with those of the authorities between it and the root. */
  readonly certFile?: string | undefined;
  /** Its private key, without a passphrase. */
  readonly keyFile?: string | undefined;
  /** Authorities that have signed the certificates of the other side. */
  readonly caFile?: string | undefined;
}

/** The content of the files, as node:tls takes it. */
interface TlsContent {
  readonly cert?: Buffer;
  readonly key?: Buffer;
  readonly ca?: Buffer;
}

const fileFields = { cert: "certFile", key: "keyFile", ca: "caFile" } as const;

/** Whether TLS options name files. */
export function namesTlsFiles(tls: TlsFileOptions | undefined): boolean {
  return tls !== undefined && Object.values(fileFields).some((field) => tls[field] !== undefined);
}

/**
 * Reads the files that TLS options name, and puts their content in place of the names. Throws `invalid-argument` with the name of the
 * file that can't be read or does not fit.
 */
export function withTlsFiles<Options extends TlsFileOptions>(
  tls: Options,
): Omit<Options, keyof TlsFileOptions> & TlsContent {
  const { certFile, keyFile, caFile, ...rest } = tls;
  for (const field of Object.values(fileFields)) {
    const file: unknown = tls[field];
    // A number would be a file that is open already.
    if (file !== undefined && typeof file !== "string")
      throw wrongValue(`The option tls.${field} must be the name of a file`, file);
  }
  const cert = certFile === undefined ? undefined : read("certFile", certFile, (pem) => new X509Certificate(pem));
  const key = keyFile === undefined ? undefined : read("keyFile", keyFile, createPrivateKey);
  const ca = caFile === undefined ? undefined : read("caFile", caFile, (pem) => new X509Certificate(pem));
  if (cert !== undefined && key !== undefined && !cert.value.checkPrivateKey(key.value))
    throw new TroupeError(
      "invalid-argument",
      `The key of ${keyFile} is not the one of the certificate of ${certFile}.`,
    );
  return {
    ...rest,
    ...(cert && { cert: cert.pem }),
    ...(key && { key: key.pem }),
    ...(ca && { ca: ca.pem }),
  };
}

function read<T>(field: string, file: string, parse: (pem: Buffer) => T): { readonly pem: Buffer; readonly value: T } {
  try {
    const pem = readFileSync(file);
    return { pem, value: parse(pem) };
  } catch (cause) {
    const text = `The file ${file} (${field}) can't be used: ${errorText(cause)}. It must be a PEM file${field === "keyFile" ? " without a passphrase" : ""}.`;
    throw new TroupeError("invalid-argument", text, { cause });
  }
}

/** Returns a text that differs when one of the files has changed, also where links are replaced. */
export function stampOfTlsFiles(tls: TlsFileOptions): string {
  const stamp = (file: string | undefined): string => {
    if (file === undefined) return "";
    try {
      const { ino, size, mtimeNs, ctimeNs } = statSync(file, { bigint: true });
      return `${ino} ${size} ${mtimeNs} ${ctimeNs}`;
    } catch (error) {
      return errorText(error);
    }
  };
  return Object.values(fileFields)
    .map((field) => stamp(tls[field]))
    .join("|");
}
