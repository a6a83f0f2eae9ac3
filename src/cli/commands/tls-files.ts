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

function readPem<T>(flag: string, file: string, what: string, parse: (pem: Buffer) => T): { pem: Buffer; value: T } {
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
