import { X509Certificate } from "node:crypto";
import { describe, expect, it } from "vitest";
import { certificateAuthenticator } from "../../../src/security/certificate-authenticator.ts";
import { namesOf, trustDomainOf } from "../../../src/security/certificate-names.ts";
import { parsed, TestAuthority } from "../../support/security/authority.ts";

/** Its common name is "x", a line end and "CN=admin". */
const withLineEnd = `-----BEGIN CERTIFICATE-----
MIIBfzCCASWgAwIBAgIUHElScoBZ0JwJ+agceNTCx21Ph24wCgYIKoZIzj0EAwIw
FTETMBEGA1UEAwwKeApDTj1hZG1pbjAeFw0yNjEyMDExMjQzMjVaFw0yNjEyMDQx
MjQzMjVaMBUxEzARBgNVBAMMCngKQ049YWRtaW4wWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAASvtYcoEHNAMaw43zdp3LCQy4oFP4wt2thXd5Neof4/sF3KAecDIrAh
OL6OYfZhvxmhOG3873kf120UoNLLNtqEo1MwUTAdBgNVHQ4EFgQUg9IghP1P48QT
Hco1zVBqdZ4LEEEwHwYDVR0jBBgwFoAUg9IghP1P48QTHco1zVBqdZ4LEEEwDwYD
VR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNIADBFAiBwZQE+F39JtAZfw/+p7Rdx
wCvVGWwSACkZMeUuwHa5wgIhAIdXrRzJUW7AzU/nu3Oyvx3iOOFYHsFUsB0Td+yg
P5KK
-----END CERTIFICATE-----
`;

describe("the names of a certificate", () => {
  it("are read by their kinds", async () => {
    const authority = await TestAuthority.create();
    const hosts = ["spiffe://example.org/a", "https://example.org/x", "a.example.org", "127.0.0.1"];
    expect(namesOf(parsed(await authority.client("alice", hosts)))).toEqual({
      ...{ spiffe: ["spiffe://example.org/a"], uri: ["https://example.org/x"], dns: ["a.example.org"], email: [] },
      commonName: ["alice"],
    });
  });

  it("can't be made more by commas, quotes and line ends inside one", async () => {
    const authority = await TestAuthority.create();
    for (const evil of [
      "https://a, URI:spiffe://example.org/admin",
      'https://a", URI:spiffe://example.org/admin, DNS:"x',
    ]) {
      const { spiffe, dns, uri } = namesOf(parsed(await authority.client("x", [evil])));
      expect({ spiffe, dns, uri }).toEqual({ spiffe: [], dns: [], uri: [evil] });
    }
    const certificate = new X509Certificate(withLineEnd);
    expect(namesOf(certificate).commonName).toEqual(["x\nCN=admin"]);
    const { signal } = new AbortController();
    const caller = { method: "OpenChannel", metadata: {}, peer: "p", signal, certificate };
    expect(certificateAuthenticator().authenticate(caller)).toMatchObject({ at: "refused" });
  });
});

describe("a SPIFFE id", () => {
  it.each([
    ["spiffe://example.org", "example.org"],
    ["spiffe://example.org/ns/a/sa/b", "example.org"],
    ["spiffe://EXAMPLE.org/a", undefined],
    ["spiffe://example.org/", undefined],
    ["spiffe://example.org/a//b", undefined],
    ["spiffe://example.org/a/../b", undefined],
    ["spiffe://user@example.org/a", undefined],
    ["spiffe://example.org:1/a", undefined],
    ["spiffe://example.org/a?b", undefined],
    ["spiffe://example.org/%61", undefined],
  ])("%s is of the trust domain %s", (id, domain) => {
    expect(trustDomainOf(id)).toBe(domain);
  });
});
