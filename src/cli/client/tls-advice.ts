/** The means by which a command shows a host who calls. */
export interface ShownToHost {
  readonly hasTls: boolean;
  /** Whether it shows a certificate of its own (`--tls-cert`). */
  readonly hasCertificate: boolean;
}

/** Texts of a connection that the other end has closed while it was opened, from Node and from `describeDialFailure`. */
const closedEarly =
  /ECONNRESET|EPIPE|hang up|connection was closed|has closed the connection|while it was being set up/i;

/** Says what to do with which flags about a connection that could not be opened, for the text of its error. Undefined: no flag helps. */
export function tlsAdvice(why: string, { hasTls, hasCertificate }: ShownToHost): string | undefined {
  if (!hasTls)
    return closedEarly.test(why) || /does not speak gRPC/i.test(why)
      ? "If it is a host with TLS, use --tls-ca, or --tls for the authorities of this system."
      : undefined;
  if (/certificate required/i.test(why))
    return "The host wants a certificate of its clients. Use --tls-cert and --tls-key.";
  if (/wrong version number|packet length|record layer/i.test(why))
    return "The host serves plaintext, or another program has this port. Leave the --tls flags out, or start the host with --tls-cert.";
  if (closedEarly.test(why) || /alert/i.test(why))
    return hasCertificate
      ? 'The host may refuse the certificate of --tls-cert. See that it has not expired, and that the authority of --tls-client-ca has signed it. The line "a client is refused: its TLS handshake failed" of the host\'s log has the reason.'
      : "If the host wants a certificate of its clients, use --tls-cert and --tls-key.";
  if (/expired|not valid now/i.test(why))
    return "Renew the certificate of the host. See also that the clock of this machine is right.";
  if (/altname|does not match|for another name/i.test(why))
    return "Name the host as its certificate does, or say that name with --tls-server-name.";
  if (/self.signed|unable to (verify|get)|not trusted/i.test(why))
    return "Name the authority of the host's certificate with --tls-ca.";
  return undefined;
}
