import { generateKeyPairSync } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { tlsOf } from "../../../src/cli/commands/tls-files.ts";
import { testCertificate, testKey } from "../../support/test-certificate.ts";

const folder = mkdtempSync(join(tmpdir(), "troupe-"));
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const cert = file("cert.pem", testCertificate);
const key = file("key.pem", testKey);
const text = file("notes.txt", "no PEM");
const otherKey = generateKeyPairSync("ed25519").privateKey.export({ type: "pkcs8", format: "pem" });
const other = file("other.pem", String(otherKey));
const directory = join(folder, "certs");
mkdirSync(directory);

test("the files of a certificate, its key and an authority become options of TLS", () => {
  expect(tlsOf({})).toEqual({});
  expect(tlsOf({ tlsCert: cert, tlsKey: key })).toEqual({
    tls: { cert: Buffer.from(testCertificate), key: Buffer.from(testKey) },
  });
  expect(tlsOf({ tlsCert: cert, tlsKey: key, tlsClientCa: cert }).tls).toMatchObject({ requestCert: true });
});

test.each([
  ["a file that is no PEM", { tlsCert: text, tlsKey: key }, `--tls-cert ${text} is not a certificate`],
  ["a certificate for a key", { tlsCert: cert, tlsKey: cert }, `--tls-key ${cert} is not a private key`],
  ["a folder", { tlsCert: directory, tlsKey: key }, `--tls-cert ${directory} can't be read: EISDIR`],
  ["a file that is not there", { tlsCert: cert, tlsKey: "no.pem" }, "--tls-key no.pem can't be read: ENOENT"],
  ["an authority that is none", { tlsCert: cert, tlsKey: key, tlsClientCa: text }, `--tls-client-ca ${text} is not`],
  ["another certificate's key", { tlsCert: cert, tlsKey: other }, `The key of --tls-key ${other} is not the one of`],
  ["a key alone", { tlsKey: key }, "TLS needs both"],
])("%s is refused, naming the flag and the file", (_name, flags, message) => {
  expect(() => tlsOf(flags)).toThrow(message);
});
